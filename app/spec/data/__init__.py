"""The data section of a job: sources, columns, features, and image transforms.

Here: one literal table per kind, and the schema that a network sees. Never: reading a file.
"""
