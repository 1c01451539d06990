var e=`{
  "name": "A GRU of one's own, digits read row by row",
  "metadata": {"shows": "Scan: a recurrent cell from raw operations, run along the rows of a digit"},
  "model": {
    "inputs": ["image"],
    "nodes": [
      {"id": "rows", "kind": "squeeze", "inputs": ["image"], "dim": 1},
      {"id": "before", "kind": "zeros", "inputs": ["rows"], "shape": [48]},
      {"id": "read", "kind": "Scan", "over": ["rows"], "carry": ["before"], "body": "Cell"},
      {"id": "scores", "kind": "Linear", "inputs": ["read.h"], "out_features": 10}
    ],
    "outputs": {"scores": "scores"},
    "blocks": {
      "Cell": {
        "inputs": ["h", "x"],
        "nodes": [
          {"id": "from_x", "kind": "Linear", "inputs": ["x"], "out_features": 144},
          {"id": "from_h", "kind": "Linear", "inputs": ["h"], "out_features": 144},
          {"id": "reset_x", "kind": "narrow", "inputs": ["from_x"], "dim": 1, "start": 0, "length": 48},
          {"id": "reset_h", "kind": "narrow", "inputs": ["from_h"], "dim": 1, "start": 0, "length": 48},
          {"id": "reset_sum", "kind": "add", "inputs": ["reset_x", "reset_h"]},
          {"id": "reset", "kind": "sigmoid", "inputs": ["reset_sum"]},
          {"id": "keep_x", "kind": "narrow", "inputs": ["from_x"], "dim": 1, "start": 48, "length": 48},
          {"id": "keep_h", "kind": "narrow", "inputs": ["from_h"], "dim": 1, "start": 48, "length": 48},
          {"id": "keep_sum", "kind": "add", "inputs": ["keep_x", "keep_h"]},
          {"id": "keep", "kind": "sigmoid", "inputs": ["keep_sum"]},
          {"id": "new_x", "kind": "narrow", "inputs": ["from_x"], "dim": 1, "start": 96, "length": 48},
          {"id": "new_h", "kind": "narrow", "inputs": ["from_h"], "dim": 1, "start": 96, "length": 48},
          {"id": "recalled", "kind": "mul", "inputs": ["reset", "new_h"]},
          {"id": "new_sum", "kind": "add", "inputs": ["new_x", "recalled"]},
          {"id": "new", "kind": "tanh", "inputs": ["new_sum"]},
          {"id": "apart", "kind": "sub", "inputs": ["h", "new"]},
          {"id": "kept", "kind": "mul", "inputs": ["keep", "apart"]},
          {"id": "state", "kind": "add", "inputs": ["new", "kept"]}
        ],
        "outputs": {"h": "state"}
      }
    }
  },
  "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
  "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
  "training": {"epochs": 15, "batch_size": 32, "clip_norm": 1.0, "optimizer": {"kind": "Adam", "lr": 0.005}}
}
`;export{e as default};