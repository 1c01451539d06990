"""The data: from stored columns to batches, each a pure function of (seed, epoch, step).

Here: files, types, features, images and loading. Never: networks.
"""
