"""Buffers: what is kept of the steps in environments, and the batches that are drawn from it.

Here: tensors that are allocated once, with a state that is saved and restored exactly. Never: a step of an environment.
"""
