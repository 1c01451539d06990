"""Updates: what changes the weights in a step, and the networks and averages that follow them.

Here: the grammar of updates, their groups of parameters, and averages. Never: kinds of optimisers or schedules.
"""
