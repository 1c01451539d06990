"""Edits: changes to the network and the plan of a job, running or forked, as data.

Here: the grammar of an edit, when it is applied, what may be set, and forks. Never: how tensors follow
(`workers.surgery`).
"""
