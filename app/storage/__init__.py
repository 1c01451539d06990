"""The artifact store: a directory or S3, immutable files under unique keys.

Here: one protocol and its implementations. Never: SQL.
"""
