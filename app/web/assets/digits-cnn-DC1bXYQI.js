var e=`{
  "name": "Handwritten digits, convolutional",
  "model": {
    "layers": [
      {"kind": "Conv2d", "out_channels": 16, "kernel_size": 3, "padding": 1},
      {"kind": "BatchNorm2d"},
      {"kind": "ReLU"},
      {"kind": "MaxPool2d", "kernel_size": 2},
      {"kind": "Conv2d", "out_channels": 32, "kernel_size": 3, "padding": 1},
      {"kind": "BatchNorm2d"},
      {"kind": "ReLU"},
      {"kind": "MaxPool2d", "kernel_size": 2},
      {"kind": "Flatten"},
      {"kind": "Linear", "out_features": 10}
    ]
  },
  "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
  "objective": {"loss": {"kind": "CrossEntropyLoss", "label_smoothing": 0.05}, "metrics": ["accuracy", "f1"]},
  "training": {
    "epochs": 12,
    "batch_size": 32,
    "optimizer": {"kind": "AdamW", "lr": 0.002},
    "schedule": {"kind": "OneCycleLR", "max_lr": 0.01}
  }
}
`;export{e as default};