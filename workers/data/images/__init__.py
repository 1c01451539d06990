"""Images: decoded, transformed one by one or in batches, mixed.

Here: pixels. Never: tables.
"""
