"""Rows of a data set as JSON, for people: in descriptions of data sets, and in reports of evaluations."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from app.spec.data.columns import DataSchema
from workers.data.columns import ParsedColumn, RaggedTensor, SplitColumns
from workers.data.images.decoding import ZipImages
from workers.data.images.folder import FolderImages
from workers.data.images.thumbnails import is_picture, thumbnail
from workers.data.notation.datetime_formats import format_datetime

PREVIEW_VALUES, PREVIEW_CHARACTERS = 64, 200
PREVIEW_COLUMNS = 200


def preview_rows(split: SplitColumns, schema: DataSchema, rows: Iterable[int]) -> list[dict[str, Any]]:
    """Return these rows and the first 200 columns as JSON: the beginning of what is long, dates in ISO 8601.

    An image is {"shape", "thumbnail"}: (channels, height, width), and a data URL of at most 64 pixels a side.
    """
    shown = list(split.items())[:PREVIEW_COLUMNS]
    peaks = {column.name: column.peak for column in schema.columns}
    found = [{name: _value(column, row, peaks.get(name)) for name, column in shown} for row in rows]
    dates = {column.name for column in schema.columns if column.type == "datetime"}
    for row in found:
        row |= {name: format_datetime(row[name]) for name in dates & row.keys() if row[name] is not None}
    return found


def _value(column: ParsedColumn, row: int, peak: float | None) -> Any:
    value = _value_at(column, row)
    if isinstance(value, Tensor) and is_picture(value) and value.numel() > PREVIEW_VALUES:
        return {"shape": list(value.shape), "thumbnail": thumbnail(value, peak)}
    return _preview_value(value)


def _value_at(column: ParsedColumn, row: int) -> Any:
    if isinstance(column, ZipImages | FolderImages):
        return column.read(row)
    if isinstance(column, RaggedTensor):
        return column.values[column.offsets[row] : column.offsets[row + 1]]
    return column[row]  # type: ignore[index]


def _preview_value(value: Any) -> Any:
    """Return a value as JSON; the beginning of a large one. Numbers that are not finite are null."""
    if isinstance(value, Tensor):
        return _preview_numbers(value)
    if isinstance(value, str):
        return value[:PREVIEW_CHARACTERS].replace("\0", "\ufffd")
    if isinstance(value, Mapping) and "label" in value:
        return format_tree(value)
    if isinstance(value, Sequence):
        return [_preview_value(item) for item in value[:PREVIEW_VALUES]]
    return value


def _preview_numbers(value: Tensor) -> Any:
    if value.numel() > PREVIEW_VALUES:
        value = value.flatten()[:PREVIEW_VALUES]
    if value.is_floating_point() and not bool(value.isfinite().all()):
        numbers = [number if np.isfinite(number) else None for number in value.flatten().tolist()]
        return numbers if value.ndim else numbers[0]
    return value.tolist()


def format_tree(tree: Mapping[str, Any]) -> str:
    """Return the beginning of a tree as an s-expression."""
    text, stack = "", list[Any]([tree])
    while stack and len(text) < PREVIEW_CHARACTERS:
        node = stack.pop()
        if isinstance(node, str):
            text += node
            continue
        children = node.get("children", ())  # a leaf may have none
        text += (" " if text else "") + ("(" if children else "") + str(node["label"])
        stack += [")", *reversed(children)] if children else []
    return text[:PREVIEW_CHARACTERS].replace("\0", "\ufffd")
