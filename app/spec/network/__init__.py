"""The network section of a job: nodes, control flow, and one literal table per family of kinds.

Here: names, fields, wiring. Never: shapes of tensors (see `workers.network.inference`).
"""
