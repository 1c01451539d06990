"""The objective and the training plan: losses, metrics, optimisers, schedules.

Here: one literal table per family of kinds. Never: anything computed.
"""
