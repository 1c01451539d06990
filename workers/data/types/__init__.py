"""Column types: one class each that infers, parses and describes values, for uploads, training and predictions.

Here: what a value means. Never: how it becomes a tensor (see `workers.data.features`).
"""
