"""Descriptions of uploads, for people and for the inspector: a schema and the first rows, or problems."""

from dataclasses import dataclass, replace
from typing import Any

from app.errors import InvalidInput, Problem
from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from app.spec.training.targets import constant_target_warnings
from workers.data.files.content import MAX_UNPACKED_BYTES, Upload
from workers.data.formats.catalog import FORMATS, resolve_format
from workers.data.preview import preview_rows
from workers.data.types.catalog import TYPE_CLASSES
from workers.protocol.child_requests import DescribeRequest, DescribeResponse

PREVIEW_ROWS = 5


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
    schema = described.schema()
    constant = tuple(constant_target_warnings(schema, [] if content.target is None else [content.target]))
    if constant:
        schema = replace(described, warnings=(*content.warnings, *constant)).schema()
    rows = min(PREVIEW_ROWS, len(next(iter(first.values()))))
    return Description(schema, preview_rows(first, schema, range(rows)), (), kind)


def handle(request: DescribeRequest) -> DescribeResponse:
    """Describe the upload of a request."""
    source = UploadSource.model_validate(request.source)
    upload = Upload(request.path, source, min(MAX_UNPACKED_BYTES, request.max_unpacked_bytes))
    description = describe(upload)
    schema = description.schema.model_dump(mode="json") if description.schema is not None else None
    return DescribeResponse(schema, tuple(description.preview), description.problems, description.format)
