"""What rows of several families of modules have in common."""

from typing import Any

from app.spec.kinds import Kind


def shape_preserving(sentence: str, **fields: Any) -> Kind:
    """Return a row whose output has the shape of its input."""
    return Kind(sentence, fields)
