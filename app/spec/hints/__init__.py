"""Hints: what to write instead of a mistake, from the language itself and from the names that other tools use.

Here: the search for names, places and values that are accepted where the mistake stands. Never: a check of a spec.
"""
