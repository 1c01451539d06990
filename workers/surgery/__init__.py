"""Surgery: an edit as a function from one revision of a job and operations to the next, and how every tensor follows.

Here: changes to spec and tensors, computed on the meta device. Never: when an edit is applied (see `workers.training`).
"""
