"""Features: preprocessors that make tensors of stored columns, fitted on the training rows.

Here: one preprocessor per kind of feature, and what they share. Never: reading files.
"""
