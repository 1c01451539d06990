var e=`{
  "name": "Linear regression: progression of diabetes",
  "model": {"layers": [{"kind": "Linear", "out_features": 1}]},
  "data": {"kind": "builtin", "name": "diabetes", "scale": "standard", "validation": {"fraction": 0.2}},
  "objective": {"loss": {"kind": "MSELoss"}, "metrics": ["mae", "r2"]},
  "training": {
    "epochs": 400,
    "batch_size": 64,
    "optimizer": {"kind": "SGD", "lr": 0.05, "momentum": 0.9},
    "schedule": {"kind": "CosineAnnealingLR"}
  }
}
`;export{e as default};