var e=`{
  "name": "Pendulum by soft actor-critic",
  "metadata": {"shows": "a network that learns from what its own actions bring about; a policy that keeps as random as it can"},
  "data": {"kind": "environment", "name": "Pendulum-v1"},
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
  "objective": {"kind": "sac", "gamma": 0.98, "capacity": 20000, "start_steps": 1000},
  "training": {"steps": 20000, "batch_size": 128, "lr": 0.001, "evaluate": {"every_steps": 2000}}
}
`;export{e as default};