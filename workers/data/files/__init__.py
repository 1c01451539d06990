"""Untrusted files: archives, lines of text, the files of an upload, and problems with their places.

Here: what several formats share. Never: one format.
"""
