"""Every kind of node and its builder: the workers' half of the tables in `app.spec.network`.

Here: one row per kind. Never: how the nodes of a network run one after the other.
"""
