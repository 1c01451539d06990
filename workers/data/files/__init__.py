"""Untrusted files: archives, lines of text, the files of an upload, and problems with their places.

Here: what formats share. Never: one format.
"""
