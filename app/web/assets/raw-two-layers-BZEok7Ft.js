var e=`{
  "name": "Two layers from parameters, matrix products and sigmoids",
  "metadata": {"shows": "raw autograd: no module at all; a test compares the gradients with the formulas on paper"},
  "model": {
    "inputs": ["x"],
    "nodes": [
      {"id": "w1", "kind": "Parameter", "shape": [4, 12], "init": {"kind": "xavier_normal"}},
      {"id": "b1", "kind": "Parameter", "shape": [12], "init": {"kind": "zeros"}},
      {"id": "w2", "kind": "Parameter", "shape": [12, 3], "init": {"kind": "xavier_normal"}},
      {"id": "b2", "kind": "Parameter", "shape": [3], "init": {"kind": "zeros"}},
      {"id": "product1", "kind": "matmul", "inputs": ["x", "w1"]},
      {"id": "z1", "kind": "add", "inputs": ["product1", "b1"]},
      {"id": "a1", "kind": "sigmoid", "inputs": ["z1"]},
      {"id": "product2", "kind": "matmul", "inputs": ["a1", "w2"]},
      {"id": "z2", "kind": "add", "inputs": ["product2", "b2"]}
    ],
    "outputs": {"scores": "z2"}
  },
  "data": {"kind": "builtin", "name": "iris", "scale": "standard", "validation": {"fraction": 0.2}},
  "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
  "training": {"epochs": 80, "batch_size": 16, "optimizer": {"kind": "SGD", "lr": 0.3, "momentum": 0.9}}
}
`;export{e as default};