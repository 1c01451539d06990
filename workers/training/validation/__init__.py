"""Checks before training: losses against outputs, sequence lengths, memory, and a dry run of the plan.

Here: problems found on the meta device. Never: training.
"""
