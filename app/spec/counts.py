"""Counts in answers. Loops in loops multiply without an end: the service computes with Python's integers, and tells
at most `MAX_INT64`, which JSON parsers, databases and every client hold.
"""

from typing import Any

from app.spec.base import MAX_INT64


def bounded_count(count: int) -> int:
    """Return the count as it is told: at most `MAX_INT64`, and at least its negative."""
    return max(-MAX_INT64, min(MAX_INT64, count))


def bounded_counts(document: Any) -> Any:
    """Return a JSON document in which every integer is bounded as by `bounded_count`."""
    kind = type(document)
    if kind is int:
        return document if -MAX_INT64 <= document <= MAX_INT64 else bounded_count(document)
    if kind is dict:
        return {name: bounded_counts(part) for name, part in document.items()}
    if kind is list or kind is tuple:
        return [bounded_counts(part) for part in document]
    return document
