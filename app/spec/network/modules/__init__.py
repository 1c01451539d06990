"""Kinds of modules: layers of `torch.nn` that are pure functions of tensors, with torch's own names and parameters.

Sizes that follow from the data may be left out (`None`): the workers infer them from a sample.

Here: one literal table per family, and their union in `catalog`. Never: which class of torch builds them.
"""
