var e=`{
  "name": "Digits, until the held-out loss no longer falls",
  "model": {
    "layers": [
      {"kind": "Flatten"},
      {"kind": "Linear", "out_features": 256},
      {"kind": "ReLU"},
      {"kind": "Linear", "out_features": 10}
    ]
  },
  "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
  "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
  "training": {
    "epochs": 500,
    "batch_size": 32,
    "optimizer": {"kind": "SGD", "lr": 0.1, "momentum": 0.9},
    "clip_norm": 1.0,
    "early_stop": {"monitor": "val/loss", "patience": 5, "min_delta": 0.0005}
  }
}
`;export{e as default};