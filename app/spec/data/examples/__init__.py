"""Examples: how the rows of a data set become the examples of a job, and how often each is trained on.

Here: what a job says of windows, sampling and mixing. Never: how a column becomes a tensor.
"""
