var e=`{
  "name": "Early exit: a sure first guess is the answer",
  "metadata": {"shows": "Route by confidence: in evaluation a digit that the first exit is sure of skips the rest of the network"},
  "model": {
    "inputs": ["image"],
    "nodes": [
      {"id": "conv", "kind": "Conv2d", "inputs": ["image"], "out_channels": 16, "kernel_size": 3, "padding": 1},
      {"id": "norm", "kind": "BatchNorm2d", "inputs": ["conv"]},
      {"id": "bent", "kind": "ReLU", "inputs": ["norm"]},
      {"id": "features", "kind": "MaxPool2d", "inputs": ["bent"], "kernel_size": 2},
      {"id": "flat", "kind": "Flatten", "inputs": ["features"]},
      {"id": "guess", "kind": "Linear", "inputs": ["flat"], "out_features": 10},
      {"id": "early", "kind": "log_softmax", "inputs": ["guess"]},

      {"id": "learning", "kind": "Training"},
      {"id": "at_work", "kind": "logical_not", "inputs": ["learning"]},
      {"id": "best", "kind": "amax", "inputs": ["early"], "dim": 1},
      {"id": "sure", "kind": "ge", "inputs": ["best"], "scalar": -0.1},
      {"id": "leaves", "kind": "logical_and", "inputs": ["sure", "at_work"]},
      {"id": "exit", "kind": "Route", "predicate": "leaves", "then": "Leave", "else": "Stay", "inputs": ["early", "features"]},

      {"id": "factor", "kind": "to", "inputs": ["learning"], "dtype": "float32"},
      {"id": "lesson", "kind": "mul", "inputs": ["early", "factor"]},
      {"id": "reward", "kind": "add", "inputs": ["exit", "lesson"]}
    ],
    "outputs": {"reward": "reward", "answer": "exit", "early": "early"},
    "blocks": {
      "Leave": {"inputs": ["early", "features"], "nodes": [{"id": "answer", "kind": "Identity", "inputs": ["early"]}]},
      "Stay": {
        "inputs": ["early", "features"],
        "nodes": [
          {"id": "conv1", "kind": "Conv2d", "inputs": ["features"], "out_channels": 32, "kernel_size": 3, "padding": 1},
          {"id": "bent1", "kind": "ReLU", "inputs": ["conv1"]},
          {"id": "conv2", "kind": "Conv2d", "inputs": ["bent1"], "out_channels": 32, "kernel_size": 3, "padding": 1},
          {"id": "bent2", "kind": "ReLU", "inputs": ["conv2"]},
          {"id": "flat", "kind": "Flatten", "inputs": ["bent2"]},
          {"id": "scores", "kind": "Linear", "inputs": ["flat"], "out_features": 10},
          {"id": "late", "kind": "log_softmax", "inputs": ["scores"]}
        ],
        "outputs": {"late": "late"}
      }
    }
  },
  "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
  "objective": {"loss": {"kind": "NLLLoss"}, "metrics": ["accuracy"], "output": "reward"},
  "training": {"epochs": 15, "batch_size": 32, "optimizer": {"kind": "AdamW", "lr": 0.003}}
}
`;export{e as default};