"""The data: from stored columns to batches.

Here: files, types, features, images and loading. Never: networks.
"""
