"""Analysis of a network: its graph, parameters by name, dependencies, gradients.

Here: read-only views. Never: changes to a network.
"""
