"""Statistics of what happens inside a network while it trains: gradients, weights, activations, control flow.

Here: what is measured at a sampled step, and how. Never: which steps are sampled (see `app.spec.training.statistics`).
"""
