"""Sources: what a job trains on and is evaluated by: rows of a data set, or environments that its network acts in.

Here: from data to the batches of steps, and to evaluations. Never: how a row becomes a tensor (see `workers.data`), or
how an environment is played (see `workers.environments`).
"""
