"""Widths: which axes of a network's tensors change together, found by following channels through its nodes.

Here: the dependency graph (Fang et al. 2023) on shapes alone, and the tensor map of a change of one width. Never: what
an operation accepts or writes (see `workers.surgery.operations`).
"""
