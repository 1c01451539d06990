var e=`{
  "name": "CartPole by proximal policy optimisation",
  "metadata": {"shows": "eight copies of an environment at once, and several passes over what they met with"},
  "data": {"kind": "environment", "name": "CartPole-v1", "copies": 8},
  "model": {
    "actor": {"layers": [
      {"kind": "Linear", "out_features": 64}, {"kind": "Tanh"},
      {"kind": "Linear", "out_features": 64}, {"kind": "Tanh"},
      {"kind": "Linear", "out_features": 2}
    ]},
    "critic": {"layers": [
      {"kind": "Linear", "out_features": 64}, {"kind": "Tanh"},
      {"kind": "Linear", "out_features": 64}, {"kind": "Tanh"},
      {"kind": "Linear", "out_features": 1}
    ]}
  },
  "objective": {"kind": "ppo", "gamma": 0.98, "lambda": 0.8, "steps": 32, "epochs": 20, "clip_range": 0.2},
  "training": {
    "steps": 3900,
    "batch_size": 256,
    "optimizer": {"kind": "Adam", "lr": 0.001, "eps": 1e-5},
    "schedule": {"kind": "CosineAnnealingLR"},
    "evaluate": {"every_steps": 780}
  }
}
`;export{e as default};