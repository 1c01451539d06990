"""Rules: how channels go through each kind of node, and which axes of its tensors they are.

Here: one function per family of kinds, from the axes of inputs to those of outputs. Never: what changes.
"""
