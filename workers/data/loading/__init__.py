"""Loading: splits, samplers, batches, and processes that decode beside the training.

Here: the order of examples. Never: how one column becomes a tensor.
"""
