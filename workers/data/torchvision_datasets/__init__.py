"""Data sets of torchvision by name: how their files are read and fetched. Nothing is ever unpickled.

Here: one reader per layout. Never: transforms.
"""
