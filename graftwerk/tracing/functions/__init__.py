"""Functions and methods of torch as nodes of the language: a table of those that map one to one, and handlers.

Here: from one call to nodes. Never: calls of modules (see `graftwerk.tracing.module_calls`).
"""
