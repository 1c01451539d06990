"""Tables: columns of values become stored columns, of types that are inferred or known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from re import sub

import torch
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.data.columns import Column, ColumnType, DataSchema
from app.spec.data.sources import UploadSource
from app.spec.problems import did_you_mean, json_pointer
from workers.data.columns import ParsedColumn, SplitColumns
from workers.data.files.content import MAX_UNPACKED_BYTES, Content, Upload
from workers.data.files.problems import RowLocations, ValueProblems, abbreviate, refuse
from workers.data.types.base import BaseColumnType, ProblemSink
from workers.data.types.catalog import TYPE_CLASSES, infer_type
from workers.data.types.values import Values

TARGET_NAMES = ("label", "target", "y", "labels", "tags")
MAX_COLUMNS = 10_000
MAX_NAME_LENGTH = 200
MAX_LABEL_CHARACTERS = 2 << 20  # of all labels together


@dataclass(frozen=True)
class TableOptions:
    """What is known of a table before it is read."""

    types: Mapping[str, ColumnType] = field(default_factory=dict)  # by column
    infer: bool = True  # whether columns of no known type are read as well, and their types inferred
    limit: int = MAX_UNPACKED_BYTES
    check_row_count: Callable[[int], None] = lambda count: None  # called while rows are read; raises to end that

    def type_class(self, name: str) -> type[BaseColumnType] | None:
        """Return the class of a column's type, if that is known."""
        return TYPE_CLASSES[self.types[name]] if name in self.types else None

    @classmethod
    def from_upload(cls, upload: Upload) -> "TableOptions":
        """Return the types of a stored schema; for new content, those that the user gave."""
        if upload.known_schema is not None:
            types = {column.name: column.type for column in upload.known_schema.columns}
            return cls(types, infer=False, limit=upload.limit)
        return cls(upload.source.types or {}, limit=upload.limit)


@dataclass(frozen=True)
class Table:
    """The rows of one file, or of several one after the other."""

    names: Sequence[str]  # of all columns
    columns: Mapping[str, Values]  # by name, of those that were read
    locations: RowLocations
    splits: Sequence[str]  # of each file
    unreadable: Sequence[tuple[int, str, str]] = ()  # (row, column, text): cells of numbers, NaN in `columns`

    def add_unreadable(self, problems: ProblemSink) -> None:
        """Add a problem for every cell of a number column that holds no number, in the order of rows."""
        for row, name, text in sorted(self.unreadable):
            detail = f'expected a finite number, got "{abbreviate(text)}"'
            problems.add_value(row, name, "not_a_number", detail, "leave the cell empty if the number is missing")


def name_problem(name: str, pointer: str) -> Problem | None:
    """Return what is wrong with the name of a column, if anything is."""
    if name and len(name) <= MAX_NAME_LENGTH and sub(r"[\0\ud800-\udfff]", "", name) == name:
        return None
    detail = f'"{name[:40]!s}" cannot be the name of a column'
    return Problem(pointer, "invalid_name", detail, f"1 to {MAX_NAME_LENGTH} characters, without NUL")


def check_column_names(names: Sequence[str], place: str = "") -> None:
    """Raise `InvalidInput` for names that columns of a table cannot have."""
    if not names:
        refuse("no_columns", "there are no columns", "is it a table?", place)
    if len(names) > MAX_COLUMNS:
        detail = f"there are {len(names):,} columns, at most {MAX_COLUMNS:,} are allowed"
        refuse("too_many_columns", detail, "store them as one array: NPZ, safetensors", place)
    unique: set[str] = set()
    for name in names:
        if name in unique:
            refuse("duplicate_name", f'two columns are named "{name[:MAX_NAME_LENGTH]}"', "rename one of them", place)
        if problem := name_problem(name, json_pointer([place]) if place else ""):
            raise InvalidInput([problem])
        unique.add(name)


def check_same_columns(names: Sequence[str], others: Sequence[str], place: str) -> None:
    """Raise `InvalidInput` if the files of a table differ in their columns."""
    if differing := sorted(set(names) ^ set(others)):
        detail = f"the files differ in these columns: {', '.join(differing[:10])}"
        refuse("columns_differ", detail, "give all of them the same columns", place)


def build_content(
    table: Table,
    upload: Upload,
    *,
    default_target: str | None = None,
    types: Mapping[str, ColumnType] | None = None,
    unread: Sequence[str] = (),
) -> Content:
    """Return the content of a table: parsed by the stored schema, if there is one, else by inferred types.

    `types` are those of the format, which the user's override; `unread` are columns that are no inputs by default.

    Raises `InvalidInput` with every problem.
    """
    for split, count in zip(table.splits, table.locations.row_counts, strict=True):
        if count == 0:
            refuse("no_rows", f"the split {split} has no rows" if len(table.splits) > 1 else "the table has no rows")
    if upload.known_schema is not None:
        return _parse_known(table, upload.known_schema)
    return _infer(table, upload.source, default_target, {**(types or {}), **(upload.source.types or {})}, unread)


def _parse_known(table: Table, schema: DataSchema) -> Content:
    problems = ValueProblems(table.locations)
    table.add_unreadable(problems)
    missing = [column.name for column in schema.columns if column.name not in table.columns]
    if missing:
        refuse("columns_differ", f"the data set has no column {', '.join(missing[:10])}", "upload it again")
    stored = {
        column.name: TYPE_CLASSES[column.type].parse(table.columns[column.name], column, problems)
        for column in schema.columns
    }
    problems.raise_if_any()
    return Content(schema.columns, _split(stored, table), schema.inputs, schema.target, schema.guessed_target)


def _infer(
    table: Table,
    source: UploadSource,
    default_target: str | None,
    types: Mapping[str, ColumnType],
    unread: Sequence[str],
) -> Content:
    problems = ValueProblems(table.locations)
    table.add_unreadable(problems)
    problems.raise_if_any()
    target = _target(table.names, source, default_target)
    unknown = next((name for name in source.types or () if name not in table.columns), None)
    if unknown is not None:
        refuse("unknown_column", f'the table has no column "{unknown}"', 'it is named in "types"')
    stored: dict[str, ParsedColumn] = {}
    drafts: list[Column] = []
    for name, values in table.columns.items():
        type_name = types.get(name) or infer_type(values, name == target)
        kind = TYPE_CLASSES[type_name]
        draft = kind.draft(name, type_name, values)
        stored[name] = kind.parse(values, draft, problems)
        drafts.append(draft)
        if name == target and draft.missing:
            _report_missing_targets(stored[name], name, problems)
    problems.raise_if_any()
    columns = [TYPE_CLASSES[draft.type].describe(draft, stored[draft.name]) for draft in drafts]
    _check_labels(columns)
    inputs = tuple(name for name in table.columns if name != target and name not in unread)
    if not inputs:
        return Content(tuple(columns), _split(stored, table), tuple(table.columns))
    guessed = target not in (source.target, default_target, *TARGET_NAMES)
    return Content(tuple(columns), _split(stored, table), inputs, target, guessed)


def _target(names: Sequence[str], source: UploadSource, default: str | None) -> str | None:
    """Return the column that is learned: the user's, or the format's, or by its name, or the last of several."""
    if source.target is not None:
        if source.target not in names:
            hint = did_you_mean(source.target, names) or "one of: " + ", ".join(names[:50])
            refuse("unknown_column", f'the table has no column "{source.target}"', hint)
        return source.target
    if len(names) == 1:
        return None
    return default or next((name for name in TARGET_NAMES if name in names), names[-1])


def _check_labels(columns: Sequence[Column]) -> None:
    """Refuse more labels than a description can carry, which every job on the data holds."""
    size = sum(len(label) for column in columns for label in column.labels or ())
    if size > MAX_LABEL_CHARACTERS:
        worst = max(columns, key=lambda column: sum(map(len, column.labels or ())))
        detail = f"the labels of all columns have {size:,} characters, at most {MAX_LABEL_CHARACTERS:,} are allowed"
        refuse("too_many_labels", detail, f'give some of them the type "text", such as "{worst.name}"', worst.name)


def _report_missing_targets(column: ParsedColumn, name: str, problems: ProblemSink) -> None:
    for row in range(len(column)):
        value = column[row] if isinstance(column, Tensor | Sequence) else True
        if value is None or (isinstance(value, Tensor) and bool(value.isnan().any())):
            problems.add_value(row, name, "missing_value", "the target is missing", "fill it, or leave the row out")


def _split(stored: Mapping[str, ParsedColumn], table: Table) -> dict[str, SplitColumns]:
    splits: dict[str, SplitColumns] = {}
    start = 0
    for split, count in zip(table.splits, table.locations.row_counts, strict=True):
        splits[split] = {name: _slice_rows(column, start, start + count) for name, column in stored.items()}
        start += count
    return splits


def _slice_rows(column: ParsedColumn, start: int, stop: int) -> ParsedColumn:
    if isinstance(column, Tensor | Sequence):
        return column[start:stop]
    return column.take(torch.arange(start, stop))
