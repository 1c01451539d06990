"""What new nodes compute at first: their input, zero, or whatever torch's own initial weights make of it.

Here: which kinds can, with which settings, and how their tensors are filled. Never: values (see `initial_values`).
"""
