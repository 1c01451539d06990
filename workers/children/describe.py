"""Descriptions of uploads, for people and for the inspector: a schema and the first rows, or problems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from app.spec.training.targets import constant_target_warnings
from workers.data.columns import ParsedColumn, RaggedTensor, SplitColumns
from workers.data.files.content import MAX_UNPACKED_BYTES, Upload
from workers.data.formats.catalog import FORMATS, resolve_format
from workers.data.images.decoding import ZipImages
from workers.data.notation.datetime_formats import format_datetime
from workers.data.types.catalog import TYPE_CLASSES
from workers.protocol.child_requests import DescribeRequest, DescribeResponse

PREVIEW_ROWS, PREVIEW_VALUES, PREVIEW_CHARACTERS = 5, 64, 200
PREVIEW_COLUMNS = 200


@dataclass(frozen=True)
class Description:
    """A schema, the first rows and the format; or problems."""

    schema: DataSchema | None
    preview: list[dict[str, Any]]
    problems: tuple[Problem, ...]
    format: str | None = None


def describe(upload: Upload) -> Description:
    """Read an upload and describe its content, which is untrusted: to be called in a process with limits."""
    try:
        kind = resolve_format(upload)
        content = FORMATS[kind](upload)
    except InvalidInput as error:
        return Description(None, [], error.problems)
    first = next(iter(content.splits.values()))
    columns = [
        column.model_copy(update={"statistics": TYPE_CLASSES[column.type].statistics(first[column.name])})
        for column in content.columns
    ]
    described = replace(content, columns=tuple(columns))
    dates = frozenset(column.name for column in columns if column.type == "datetime")
    schema = described.schema()
    constant = tuple(constant_target_warnings(schema, [] if content.target is None else [content.target]))
    if constant:
        schema = replace(described, warnings=(*content.warnings, *constant)).schema()
    return Description(schema, preview(first, dates), (), kind)


def handle(request: DescribeRequest) -> DescribeResponse:
    """Describe the upload of a request."""
    source = UploadSource.model_validate(request.source)
    upload = Upload(request.path, source, min(MAX_UNPACKED_BYTES, request.max_unpacked_bytes))
    description = describe(upload)
    schema = description.schema.model_dump(mode="json") if description.schema is not None else None
    return DescribeResponse(schema, tuple(description.preview), description.problems, description.format)


def preview(split: SplitColumns, dates: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """Return the first rows and columns as JSON; those of dates in ISO 8601."""
    rows = min(PREVIEW_ROWS, len(next(iter(split.values()))))
    shown = list(split.items())[:PREVIEW_COLUMNS]
    found = [{name: _preview_value(_value_at(column, row)) for name, column in shown} for row in range(rows)]
    for row in found:
        row |= {name: format_datetime(row[name]) for name in dates & row.keys() if row[name] is not None}
    return found


def _value_at(column: ParsedColumn, row: int) -> Any:
    if isinstance(column, ZipImages):
        return {"shape": list(column.read(row).shape)}
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
        text += (" " if text else "") + ("(" if node["children"] else "") + node["label"]
        stack += [")", *reversed(node["children"])] if node["children"] else []
    return text[:PREVIEW_CHARACTERS].replace("\0", "\ufffd")
