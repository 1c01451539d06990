"""Formats of natural language: tagged words, trees, word vectors.

Here: one module per format. Never: tables.
"""
