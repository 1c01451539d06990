var e=`{
  "name": "A mixture of four experts, of which each digit meets one",
  "metadata": {"shows": "Route by a selector: every expert sees its own rows only; the gate learns by the factor of its probability"},
  "model": {
    "inputs": ["image"],
    "nodes": [
      {"id": "pixels", "kind": "Flatten", "inputs": ["image"]},
      {"id": "seen", "kind": "Linear", "inputs": ["pixels"], "out_features": 64},
      {"id": "bent", "kind": "relu", "inputs": ["seen"]},
      {"id": "gate", "kind": "Linear", "inputs": ["bent"], "out_features": 4},
      {"id": "shares", "kind": "softmax", "inputs": ["gate"]},
      {"id": "chosen", "kind": "argmax", "inputs": ["shares"], "dim": 1},
      {"id": "chance", "kind": "amax", "inputs": ["shares"], "dim": 1, "keepdim": true},
      {
        "id": "experts", "kind": "Route", "selector": "chosen", "inputs": ["bent"],
        "cases": ["Expert", "Expert", "Expert", "Expert"]
      },
      {"id": "weighed", "kind": "mul", "inputs": ["experts", "chance"]},
      {"id": "sum", "kind": "add", "inputs": ["bent", "weighed"]},
      {"id": "scores", "kind": "Linear", "inputs": ["sum"], "out_features": 10},
      {"id": "chances", "kind": "log_softmax", "inputs": ["scores"]},

      {"id": "picked", "kind": "one_hot", "inputs": ["chosen"], "num_classes": 4},
      {"id": "counts", "kind": "to", "inputs": ["picked"], "dtype": "float32"},
      {"id": "load", "kind": "mean", "inputs": ["counts"], "dim": 0},
      {"id": "wanted", "kind": "mean", "inputs": ["shares"], "dim": 0},
      {"id": "crowding", "kind": "mul", "inputs": ["load", "wanted"]},
      {"id": "imbalance", "kind": "sum", "inputs": ["crowding"]},
      {"id": "price", "kind": "mul", "inputs": ["imbalance"], "scalar": 0.4},
      {"id": "reward", "kind": "sub", "inputs": ["chances", "price"]}
    ],
    "outputs": {"reward": "reward", "chances": "chances", "chosen": "chosen"},
    "blocks": {
      "Expert": {"layers": [{"kind": "Linear", "out_features": 64}, {"kind": "ReLU"}, {"kind": "Linear", "out_features": 64}]}
    }
  },
  "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
  "objective": {"loss": {"kind": "NLLLoss"}, "metrics": ["accuracy"], "output": "reward"},
  "training": {
    "epochs": 20,
    "batch_size": 32,
    "optimizer": {"kind": "AdamW", "lr": 0.005},
    "schedule": {"kind": "CosineAnnealingLR"}
  }
}
`;export{e as default};