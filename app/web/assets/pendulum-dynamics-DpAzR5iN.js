var e=`{
  "name": "A pendulum as data, by soft actor-critic",
  "metadata": {"shows": "an environment of nodes, without code: eight copies are computed as one batch, by Gymnasium's equations of Pendulum-v1"},
  "data": {
    "kind": "environment",
    "copies": 8,
    "dynamics": {
      "state": {"shape": [2]}, "observation": {"kind": "box", "shape": [3]},
      "action": {"kind": "box", "shape": [1], "low": -2.0, "high": 2.0}, "time_limit": 200,
      "reset": {
        "nodes": [
          {"id": "draws", "kind": "rand_like", "inputs": ["state"]},
          {"id": "doubled", "kind": "mul", "inputs": ["draws"], "scalar": 2.0},
          {"id": "symmetric", "kind": "sub", "inputs": ["doubled"], "scalar": 1.0},
          {"id": "ranges", "kind": "Constant", "value": [3.141592653589793, 1.0]},
          {"id": "first", "kind": "mul", "inputs": ["symmetric", "ranges"]}
        ],
        "outputs": {"state": "first"}
      },
      "observe": {
        "nodes": [
          {"id": "angle", "kind": "narrow", "inputs": ["state"], "dim": 1, "start": 0, "length": 1},
          {"id": "velocity", "kind": "narrow", "inputs": ["state"], "dim": 1, "start": 1, "length": 1},
          {"id": "cosine", "kind": "cos", "inputs": ["angle"]},
          {"id": "sine", "kind": "sin", "inputs": ["angle"]},
          {"id": "all", "kind": "cat", "inputs": ["cosine", "sine", "velocity"]}
        ],
        "outputs": {"observation": "all"}
      },
      "step": {
        "inputs": ["state", "action"],
        "nodes": [
          {"id": "angle", "kind": "narrow", "inputs": ["state"], "dim": 1, "start": 0, "length": 1},
          {"id": "velocity", "kind": "narrow", "inputs": ["state"], "dim": 1, "start": 1, "length": 1},
          {"id": "shifted", "kind": "add", "inputs": ["angle"], "scalar": 3.141592653589793},
          {"id": "within", "kind": "remainder", "inputs": ["shifted"], "scalar": 6.283185307179586},
          {"id": "deviation", "kind": "sub", "inputs": ["within"], "scalar": 3.141592653589793},
          {"id": "deviation2", "kind": "square", "inputs": ["deviation"]},
          {"id": "velocity2", "kind": "square", "inputs": ["velocity"]},
          {"id": "velocity_cost", "kind": "mul", "inputs": ["velocity2"], "scalar": 0.1},
          {"id": "torque2", "kind": "square", "inputs": ["action"]},
          {"id": "torque_cost", "kind": "mul", "inputs": ["torque2"], "scalar": 0.001},
          {"id": "motion_cost", "kind": "add", "inputs": ["deviation2", "velocity_cost"]},
          {"id": "cost", "kind": "add", "inputs": ["motion_cost", "torque_cost"]},
          {"id": "reward", "kind": "neg", "inputs": ["cost"]},
          {"id": "sine", "kind": "sin", "inputs": ["angle"]},
          {"id": "gravity", "kind": "mul", "inputs": ["sine"], "scalar": 15.0},
          {"id": "torque", "kind": "mul", "inputs": ["action"], "scalar": 3.0},
          {"id": "acceleration", "kind": "add", "inputs": ["gravity", "torque"]},
          {"id": "change", "kind": "mul", "inputs": ["acceleration"], "scalar": 0.05},
          {"id": "faster", "kind": "add", "inputs": ["velocity", "change"]},
          {"id": "new_velocity", "kind": "clamp", "inputs": ["faster"], "min": -8.0, "max": 8.0},
          {"id": "turn", "kind": "mul", "inputs": ["new_velocity"], "scalar": 0.05},
          {"id": "new_angle", "kind": "add", "inputs": ["angle", "turn"]},
          {"id": "new_state", "kind": "cat", "inputs": ["new_angle", "new_velocity"]}
        ],
        "outputs": {"state": "new_state", "reward": "reward"}
      }
    }
  },
  "model": {
    "actor": {"layers": [
      {"kind": "Linear", "out_features": 64}, {"kind": "ReLU"},
      {"kind": "Linear", "out_features": 64}, {"kind": "ReLU"},
      {"kind": "Linear", "out_features": 2}
    ]},
    "critic": {"layers": [
      {"kind": "Linear", "out_features": 64}, {"kind": "ReLU"},
      {"kind": "Linear", "out_features": 64}, {"kind": "ReLU"},
      {"kind": "Linear", "out_features": 1}
    ]}
  },
  "objective": {"kind": "sac", "gamma": 0.98, "capacity": 80000, "start_steps": 1600},
  "training": {"steps": 8000, "batch_size": 256, "lr": 0.001, "evaluate": {"every_steps": 1000}}
}
`;export{e as default};