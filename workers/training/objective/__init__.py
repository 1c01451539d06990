"""Losses, what they are computed from, and how outputs are decoded to probabilities and classes.

Here: from outputs and targets to a loss. Never: metrics over a split.
"""
