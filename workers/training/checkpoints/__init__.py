"""Checkpoints: their files, when they are saved, and weights to start from.

Here: tensors to files and back. Never: rows in SQL.
"""
