"""Environments that a policy acts in: Gymnasium's and those of nodes, the buffers of experience, and evaluation.

Here: copies of an environment with a state that is saved and restored exactly, wrappers, and what is kept of their
steps. Never: a network that chooses the actions, or a loss (see `workers.training`).
"""
