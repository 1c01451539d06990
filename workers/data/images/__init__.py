"""Images: decoding, transforms image by image or in batches, mixing.

Here: pixels. Never: tables.
"""
