"""What rows of several families of operations have in common."""

from typing import Any, Literal

from app.spec.kinds import Kind

OperationDtype = Literal["float32", "int64", "bool"]


def two_tensors(sentence: str, shapes: str = "*, * → broadcast", **fields: Any) -> Kind:
    """Return a row of two inputs."""
    return Kind(sentence, fields, (2, 2), shapes)
