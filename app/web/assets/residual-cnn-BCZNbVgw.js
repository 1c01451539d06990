var e=`{
  "name": "Residual blocks on digits",
  "metadata": {"shows": "a block used three times, each with weights of its own, and its input added to its output"},
  "model": {
    "inputs": ["image"],
    "nodes": [
      {"id": "stem", "kind": "Conv2d", "inputs": ["image"], "out_channels": 16, "kernel_size": 3, "padding": 1},
      {"id": "first", "kind": "block", "name": "Residual", "inputs": ["stem"]},
      {"id": "second", "kind": "block", "name": "Residual", "inputs": ["first"]},
      {"id": "smaller", "kind": "MaxPool2d", "inputs": ["second"], "kernel_size": 2},
      {"id": "third", "kind": "block", "name": "Residual", "inputs": ["smaller"]},
      {"id": "pooled", "kind": "amax", "inputs": ["third"], "dim": [2, 3]},
      {"id": "scores", "kind": "Linear", "inputs": ["pooled"], "out_features": 10}
    ],
    "outputs": {"scores": "scores"},
    "blocks": {
      "Residual": {
        "inputs": ["x"],
        "nodes": [
          {"id": "conv1", "kind": "Conv2d", "inputs": ["x"], "out_channels": 16, "kernel_size": 3, "padding": 1, "bias": false},
          {"id": "norm1", "kind": "BatchNorm2d", "inputs": ["conv1"]},
          {"id": "bent1", "kind": "ReLU", "inputs": ["norm1"]},
          {"id": "conv2", "kind": "Conv2d", "inputs": ["bent1"], "out_channels": 16, "kernel_size": 3, "padding": 1, "bias": false},
          {"id": "norm2", "kind": "BatchNorm2d", "inputs": ["conv2"]},
          {"id": "sum", "kind": "add", "inputs": ["x", "norm2"]},
          {"id": "y", "kind": "ReLU", "inputs": ["sum"]}
        ],
        "outputs": {"y": "y"}
      }
    }
  },
  "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
  "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
  "training": {
    "epochs": 12,
    "batch_size": 32,
    "optimizer": {"kind": "AdamW", "lr": 0.002},
    "schedule": {"kind": "OneCycleLR", "max_lr": 0.01}
  }
}
`;export{e as default};