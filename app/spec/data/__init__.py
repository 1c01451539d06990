"""The data section of a job: sources, columns, features, and image transforms.

Here: one literal table per kind, and the schema of a network's inputs and targets. Never: reading a file.
"""
