"""Column types: inferred from values, and values parsed by type.

Here: what a value means. Never: how it becomes a tensor (see `workers.data.features`).
"""
