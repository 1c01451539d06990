var e=`{
  "name": "Which grower's wine",
  "model": {
    "layers": [
      {"kind": "Linear", "out_features": 32},
      {"kind": "ReLU"},
      {"kind": "Linear", "out_features": 16},
      {"kind": "ReLU"},
      {"kind": "Linear", "out_features": 3}
    ]
  },
  "data": {"kind": "builtin", "name": "wine", "scale": "standard", "validation": {"fraction": 0.25}},
  "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy", "precision", "recall"]},
  "training": {"epochs": 40, "batch_size": 16, "optimizer": {"kind": "Adam", "lr": 0.005}}
}
`;export{e as default};