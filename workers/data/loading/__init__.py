"""Loading: splits, samplers, batches, and the processes that decode images for them.

Here: the order of examples. Never: how one column becomes a tensor.
"""
