"""Edits of a running training: which is due, what becomes of its state, and the way back from a loss that is no number.

Here: from a state at one revision to the same state at the next. Never: how a network changes (see `workers.surgery`).
"""
