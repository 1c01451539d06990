"""The columns that each feature makes, as the network sees them."""

from collections.abc import Callable, Mapping
from typing import Any

from app.spec.data.columns import Column, DataSchema
from app.spec.data.images import image_shape

CHILDREN_SUFFIX, LENGTH_SUFFIX = "_children", "_length"


def auxiliary_columns(name: str, part: Any) -> tuple[str, ...]:
    """Return the columns that a feature makes beside the one of its name."""
    return {"text": (name + LENGTH_SUFFIX,), "series": (name + LENGTH_SUFFIX,), "tree": (name + CHILDREN_SUFFIX,)}.get(
        part.kind, ()
    )


def max_column_length(stored: DataSchema, name: str) -> int:
    """Return the largest length in a stored column, at least 1."""
    column = stored.column(name)
    return max(1, column.longest or 1) if column is not None else 1


def _stored_column(stored: DataSchema, name: str) -> Column:
    found = stored.column(name)
    if found is None:
        raise KeyError(name)
    return found


def _tensor(name: str, part: Any, stored: DataSchema) -> list[Column]:
    return [_stored_column(stored, part.column).model_copy(update={"name": name})]


def _numbers(name: str, part: Any, stored: DataSchema) -> list[Column]:
    width = len(part.columns) * (2 if part.indicators else 1)
    return [Column(name=name, shape=(width,), dtype="float32")]


def _category(name: str, part: Any, stored: DataSchema) -> list[Column]:
    labels = _stored_column(stored, part.column).labels or ()
    return [Column(name=name, dtype="int64", classes=len(labels) + 1)]


def _class(name: str, part: Any, stored: DataSchema) -> list[Column]:
    labels = _stored_column(stored, part.column).labels or ()
    return [Column(name=name, dtype="int64", classes=len(labels), labels=labels)]


def _ragged(part: Any, most: int) -> dict[str, Any]:
    """Return what the columns of sequences have in common."""
    return {"ragged": part.pad != "max_length", "padded": True, "shortest": min(part.min_length or 1, most)}


def _text(name: str, part: Any, stored: DataSchema) -> list[Column]:
    size, most = part.tokenizer.vocabulary, part.max_length
    return [
        Column(name=name, shape=(most,), dtype="int64", classes=size, **_ragged(part, most)),
        Column(name=name + LENGTH_SUFFIX, dtype="int64"),
    ]


def _tags(name: str, part: Any, stored: DataSchema) -> list[Column]:
    labels, most = _stored_column(stored, part.column).labels or (), part.max_length
    return [Column(name=name, shape=(most,), dtype="int64", classes=len(labels), labels=labels, **_ragged(part, most))]


def _labels(name: str, part: Any, stored: DataSchema) -> list[Column]:
    labels = _stored_column(stored, part.column).labels or ()
    return [Column(name=name, shape=(len(labels),), dtype="float32", labels=labels)]


def _series(name: str, part: Any, stored: DataSchema) -> list[Column]:
    most = part.max_length or max_column_length(stored, part.column)
    shape = (most, *_stored_column(stored, part.column).shape)
    return [
        Column(name=name, shape=shape, dtype="float32", **_ragged(part, most)),
        Column(name=name + LENGTH_SUFFIX, dtype="int64"),
    ]


def _tree(name: str, part: Any, stored: DataSchema) -> list[Column]:
    column = _stored_column(stored, part.column)
    nodes = max_column_length(stored, part.column)
    wide = max(1, column.widest or 1)
    return [
        Column(name=name, shape=(nodes,), dtype="int64", classes=part.vocabulary, ragged=True, padded=True),
        Column(name=name + CHILDREN_SUFFIX, shape=(nodes, wide), dtype="int64", ragged=True, padded=True),
    ]


def _image(name: str, part: Any, stored: DataSchema) -> list[Column]:
    shape = image_shape(part, _stored_column(stored, part.column))
    return [Column(name=name, shape=tuple(size or 1 for size in shape), dtype="float32")]


# Kind of feature → the columns that it makes.
COLUMN_BUILDERS: Mapping[str, Callable[[str, Any, DataSchema], list[Column]]] = {
    "tensor": _tensor,
    "numbers": _numbers,
    "category": _category,
    "class": _class,
    "text": _text,
    "tags": _tags,
    "labels": _labels,
    "series": _series,
    "tree": _tree,
    "image": _image,
}
