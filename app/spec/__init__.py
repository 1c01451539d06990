"""The language: what a user may write in a job, as pure Pydantic and literal tables.

Here: grammar, checks and problems with JSON Pointers. Never: imports beyond `app.errors` and `app.ids`.
"""
