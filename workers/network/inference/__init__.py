"""Shape inference on the meta device: sizes that follow from the data, and problems of nodes that do not fit.

Here: what follows from shapes and dtypes. Never: real tensors.
"""
