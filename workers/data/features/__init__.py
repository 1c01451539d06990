"""Features: how columns become tensors, fitted on the training rows and kept with every checkpoint.

Here: one class per kind of feature. Never: reading files.
"""
