"""Edits: changes to the network and the plan of a running job, as data.

Here: the grammar of an edit, when it is applied, and what may be set. Never: how tensors follow (`workers.surgery`).
"""
