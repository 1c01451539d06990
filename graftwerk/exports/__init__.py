"""Curves written as other programs read them.

Here: file formats. Never: requests.
"""
