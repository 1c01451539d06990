"""Processes forked from a warm server: an interpreter that has imported its modules already, and runs no thread.

Here: the server, its clients, and the processes that they start. Never: what such a process does.
"""
