"""Losses, and how outputs are decoded to scores, probabilities and decisions.

Here: from outputs and targets to a loss, or to predictions. Never: metrics over a split.
"""
