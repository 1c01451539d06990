"""Optimisers, parameter groups, learning-rate schedules, weight averages, and the update step.

Here: from gradients to new weights. Never: losses.
"""
