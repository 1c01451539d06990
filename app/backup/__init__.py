"""Backups: the database at one moment, and every artifact that it lists, verified.

Here: the command `python -m app.backup`. Never: code that a running service calls.
"""
