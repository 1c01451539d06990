"""The built network: a module that runs a plan of calls, with control flow and batched trees.

Here: what runs in every forward. Never: parsing, or problems of specs.
"""
