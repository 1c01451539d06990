"""The tables of edits: their operations, and what may be set."""

from collections.abc import Iterator
from typing import Any, get_args

from kind_tables import markdown_table
from pydantic.fields import FieldInfo

from app.spec.base import SpecModel
from app.spec.edits.operations import Operation
from app.spec.edits.settings import SETTINGS

OPERATION_CLASSES: tuple[type[SpecModel], ...] = get_args(get_args(Operation)[0])


def edit_operations_table() -> str:
    """Return the table of operations."""
    rows = []
    for part in OPERATION_CLASSES:
        (name,) = get_args(part.model_fields["op"].annotation)
        fields = ", ".join(_fields(part))
        rows.append([f"`{name}`", fields, (part.__doc__ or "").partition("\n")[0]])
    return markdown_table(["operation", "fields", "meaning"], rows)


def _fields(part: type[SpecModel]) -> Iterator[str]:
    for name, field in part.model_fields.items():
        if name != "op":
            yield f"`{field.alias or name}{_suffix(field)}`"


def _suffix(field: FieldInfo) -> str:
    """Return the words that a field may have, its default first; a mark for a field that may be left out."""
    words = [each for each in get_args(field.annotation) if isinstance(each, str)]
    if words:
        return ": " + " or ".join(sorted(words, key=lambda word: word != field.default))
    return "" if field.is_required() else "?"


def edit_settings_table() -> str:
    """Return the table of what may be set."""
    rows: list[list[Any]] = [[f"`{path}`", row.sentence] for path, row in SETTINGS.items()]
    return markdown_table(["path", "meaning"], rows)
