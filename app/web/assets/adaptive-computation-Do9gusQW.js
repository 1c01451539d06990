var e=`{
  "name": "Adaptive computation time: each digit is pondered for a number of turns of its own",
  "metadata": {"shows": "While with halt per_example: each digit takes as many turns as its halting probabilities say"},
  "model": {
    "inputs": ["image"],
    "nodes": [
      {"id": "pixels", "kind": "Flatten", "inputs": ["image"]},
      {"id": "features", "kind": "Linear", "inputs": ["pixels"], "out_features": 32},
      {"id": "seen", "kind": "tanh", "inputs": ["features"]},
      {"id": "nothing", "kind": "zeros", "inputs": ["image"], "shape": [32]},
      {"id": "zero", "kind": "zeros", "inputs": ["image"], "shape": [1]},
      {
        "id": "ponder", "kind": "While", "halt": "per_example", "max_iterations": 10,
        "condition": "Unfinished", "body": "Turn", "inputs": ["nothing", "nothing", "zero", "zero", "seen"]
      },
      {"id": "scores", "kind": "Linear", "inputs": ["ponder.answer"], "out_features": 10},
      {"id": "chances", "kind": "log_softmax", "inputs": ["scores"]},
      {"id": "price", "kind": "mul", "inputs": ["ponder.cost"], "scalar": 0.02},
      {"id": "reward", "kind": "sub", "inputs": ["chances", "price"]}
    ],
    "outputs": {"reward": "reward", "chances": "chances", "cost": "ponder.cost"},
    "blocks": {
      "Unfinished": {
        "inputs": ["state", "answer", "halted", "cost", "seen"],
        "nodes": [
          {"id": "halting", "kind": "squeeze", "inputs": ["halted"], "dim": 1},
          {"id": "open", "kind": "lt", "inputs": ["halting"], "scalar": 0.99}
        ],
        "outputs": {"open": "open"}
      },
      "Turn": {
        "inputs": ["state", "answer", "halted", "cost", "seen"],
        "nodes": [
          {"id": "is_first", "kind": "eq", "inputs": ["cost"], "scalar": 0.0},
          {"id": "first", "kind": "to", "inputs": ["is_first"], "dtype": "float32"},
          {"id": "read", "kind": "cat", "inputs": ["state", "seen", "first"]},
          {"id": "mixed", "kind": "Linear", "inputs": ["read"], "out_features": 32},
          {"id": "next", "kind": "tanh", "inputs": ["mixed"]},
          {"id": "weight", "kind": "Parameter", "shape": [32, 1], "init": {"kind": "xavier_normal"}},
          {"id": "bias", "kind": "Parameter", "shape": [1], "init": {"kind": "constant", "value": -1.0}},
          {"id": "product", "kind": "matmul", "inputs": ["next", "weight"]},
          {"id": "logit", "kind": "add", "inputs": ["product", "bias"]},
          {"id": "halt", "kind": "sigmoid", "inputs": ["logit"]},
          {"id": "sum", "kind": "add", "inputs": ["halted", "halt"]},
          {"id": "enough", "kind": "ge", "inputs": ["sum"], "scalar": 0.99},
          {"id": "late", "kind": "ge", "inputs": ["cost"], "scalar": 9.0},
          {"id": "last", "kind": "logical_or", "inputs": ["enough", "late"]},
          {"id": "negative", "kind": "neg", "inputs": ["halted"]},
          {"id": "remainder", "kind": "add", "inputs": ["negative"], "scalar": 1.0},
          {"id": "chance", "kind": "where", "inputs": ["last", "remainder", "halt"]},
          {"id": "part", "kind": "mul", "inputs": ["next", "chance"]},
          {"id": "answered", "kind": "add", "inputs": ["answer", "part"]},
          {"id": "stopped", "kind": "add", "inputs": ["halted", "chance"]},
          {"id": "closing", "kind": "to", "inputs": ["last"], "dtype": "float32"},
          {"id": "rest", "kind": "mul", "inputs": ["closing", "remainder"]},
          {"id": "turn", "kind": "add", "inputs": ["cost"], "scalar": 1.0},
          {"id": "paid", "kind": "add", "inputs": ["turn", "rest"]}
        ],
        "outputs": {"state": "next", "answer": "answered", "halted": "stopped", "cost": "paid"}
      }
    }
  },
  "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
  "objective": {"loss": {"kind": "NLLLoss"}, "metrics": ["accuracy"], "output": "reward"},
  "training": {"epochs": 20, "batch_size": 32, "optimizer": {"kind": "Adam", "lr": 0.005}}
}
`;export{e as default};