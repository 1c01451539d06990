"""Widths: which axes of a network's tensors change together, found by following channels through its nodes.

Here: the dependency graph (Fang et al. 2023) on shapes alone, and the tensor map of a change of one width. Never:
documents of operations, or which of them are accepted (see `workers.surgery.operations`).
"""
