"""Whether outputs are what their losses compare: shapes, and ranges of the last activation.

Here: checks of one output and one target. Never: which heads there are.
"""
