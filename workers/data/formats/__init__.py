"""One module per file format: each reads a file and reports every problem with its place.

Here: bytes to columns of values. Never: what a value means (see `workers.data.types`).
"""
