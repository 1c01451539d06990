"""Data sets: registered by name, or uploaded in pieces and described before anything trains on them.

Here: their rows, references from jobs, and stored content. Never: reading a file (see `workers.data`).
"""
