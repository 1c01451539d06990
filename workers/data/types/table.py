"""Tables: columns of values become stored columns, of types that are inferred or known."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import Tensor

from app.errors import Problem
from app.spec.data.columns import Column, ColumnType, DataSchema, DecidedBy
from app.spec.data.sources import UploadSource
from app.spec.hints.names import did_you_mean
from app.spec.problems import json_pointer
from workers.data.columns import ParsedColumn, SplitColumns, slice_rows
from workers.data.files.content import MAX_UNPACKED_BYTES, Content, Upload
from workers.data.files.problems import RowLocations, ValueProblems, WarningCollector, abbreviate, refuse
from workers.data.types.base import BAD_CELL_HINT, BaseColumnType, ProblemSink
from workers.data.types.catalog import TYPE_CLASSES, infer_type
from workers.data.types.datetimes import check_written_dates
from workers.data.types.numbers import spell_labels
from workers.data.types.roles import column_notes, ignored_columns, ignored_warnings
from workers.data.types.texts import written_numbers
from workers.data.types.values import BOOLEAN_VALUES, Values

TARGET_NAMES = ("label", "target", "y", "labels", "tags")
MAX_LABEL_CHARACTERS = 2 << 20  # of all labels together


@dataclass(frozen=True)
class TableOptions:
    """What is known of a table before it is read."""

    types: Mapping[str, ColumnType] = field(default_factory=dict)  # by column
    formats: Mapping[str, str] = field(default_factory=dict)  # of numbers and dates, by column: they stay text
    plain: frozenset[str] = frozenset()  # columns of numbers in which true and false are no numbers
    infer: bool = True  # whether columns of no known type are read as well, and their types inferred
    limit: int = MAX_UNPACKED_BYTES
    check_row_count: Callable[[int], None] = lambda count: None  # called while rows are read; raises to end that
    drop_empty_rows: bool = True  # whether rows of empty cells alone are left out
    warnings: WarningCollector = field(default_factory=WarningCollector)  # what readers left out or guessed

    def keeps_text(self, name: str) -> bool:
        """Return whether cells of text are not converted while they are read: their format is seen of all of them."""
        return name in self.formats or (self.infer and self.types.get(name) == "number")

    def type_class(self, name: str) -> type[BaseColumnType] | None:
        """Return the class of a column's type, if that is known."""
        return TYPE_CLASSES[self.types[name]] if name in self.types else None

    @classmethod
    def for_columns(
        cls, columns: Iterable[Column], limit: int, check_row_count: Callable[[int], None] = lambda count: None
    ) -> "TableOptions":
        """Return the options to read known columns alone."""
        stored = list(columns)
        types = {column.name: column.type for column in stored}
        formats = {column.name: column.format for column in stored if column.format is not None}
        plain = frozenset(column.name for column in stored if not _may_hold_booleans(column))
        return cls(types, formats, plain, infer=False, limit=limit, check_row_count=check_row_count)

    @classmethod
    def from_upload(cls, upload: Upload) -> "TableOptions":
        """Return the types of a stored schema; for new content, those that the user gave."""
        if upload.known_schema is not None:
            return cls.for_columns(upload.known_schema.columns, upload.limit)
        return cls(upload.source.column_types, upload.source.formats or {}, limit=upload.limit)


def _may_hold_booleans(column: Column) -> bool:
    """Return whether true and false are numbers in a column: it has them as labels, or the user called it numbers."""
    return column.decided_by == "user" or any(label.lower() in BOOLEAN_VALUES for label in column.labels or ())


@dataclass(frozen=True)
class Table:
    """The rows of one file, or of several one after the other."""

    names: Sequence[str]  # of all columns
    columns: Mapping[str, Values]  # by name, of those that were read
    locations: RowLocations
    splits: Sequence[str]  # of each file
    unreadable: Sequence[tuple[int, str, str]] = ()  # (row, column, text): cells of numbers, NaN in `columns`
    unreadable_counts: Mapping[str, int] = field(default_factory=dict)  # by column: those above are the first ones
    spellings: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # of numbers: their few different cells
    types: Mapping[str, ColumnType] = field(default_factory=dict)  # by column, of what the file itself says
    units: Mapping[str, str] = field(default_factory=dict)  # by column, likewise: "UTC" of dates
    pointed: frozenset[str] = frozenset()  # columns of numbers whose decimal points may divide thousands
    indexes: frozenset[str] = frozenset()  # columns that a program added to the table to name its rows
    warnings: tuple[Problem, ...] = ()  # what reading left out, guessed or converted

    def add_unreadable(self, problems: ProblemSink) -> None:
        """Add a problem for every cell of a number column that holds no number, in the order of rows."""
        for row, name, text in sorted(self.unreadable):
            detail = f'expected a finite number, got "{abbreviate(text)}"'
            problems.add_value(row, name, "not_a_number", detail, BAD_CELL_HINT)


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
    schema, source, known = upload.known_schema, upload.source, {**table.types, **(types or {})}
    content = _parse_known(table, schema, source) if schema else _infer(table, source, default_target, known, unread)
    return replace(content, warnings=(*table.warnings, *content.warnings))


class TableProblems(ValueProblems):
    """The problems of a table's values; cells that are no numbers or dates are missing values if the user says so."""

    def __init__(self, table: Table, on_bad: str) -> None:
        super().__init__(table.locations)
        self._table, self._refuses = table, on_bad == "refuse"
        self._bad_cells: dict[str, int] = {}
        self._first: dict[str, tuple[int, str]] = {}  # by column: row and text
        if self._refuses:
            table.add_unreadable(self)
            self.raise_if_any()
        for row, name, text in table.unreadable if not self._refuses else ():
            self._bad_cells[name] = table.unreadable_counts.get(name, 0)
            self._first.setdefault(name, (row, f'expected a finite number, got "{abbreviate(text)}"'))

    def parse(self, column: Column) -> ParsedColumn:
        """Return the stored column of the table's values."""
        kind, values = TYPE_CLASSES[column.type], self._table.columns[column.name]
        if self._refuses or column.type not in ("number", "datetime"):
            return kind.parse(values, column, self)
        bad = _BadRows()
        stored = cast(Tensor, kind.parse(values, column, bad)).clone()
        stored[list(bad.details)] = torch.nan
        if bad.details:
            self._bad_cells[column.name] = self._bad_cells.get(column.name, 0) + len(bad.details)
            self._first.setdefault(column.name, next(iter(bad.details.items())))
        return stored

    def warnings(self) -> list[Problem]:
        """Return how many cells of each column count as missing, with the first of them."""
        warnings = []
        for name, count in self._bad_cells.items():
            first = self._table.locations.problem_at(*self._first[name][:1], name, "bad_cells", self._first[name][1])
            detail = f'column "{name}": {count:,} cells cannot be read and are missing values; {first.detail}'
            hint = "correct them, or leave them empty in the file"
            warnings.append(Problem(json_pointer(["columns", name]), "bad_cells", detail, hint))
        return warnings


class _BadRows:
    """Takes problems of values, of which the rows are all that counts."""

    def __init__(self) -> None:
        self.details: dict[int, str] = {}

    def add_value(
        self, row: int, column: str, code: str, detail: str, hint: str = "", inner: Sequence[str | int] = ()
    ) -> None:
        self.details.setdefault(row, detail)


def _parse_known(table: Table, schema: DataSchema, source: UploadSource) -> Content:
    missing = [column.name for column in schema.columns if column.name not in table.columns]
    if missing:
        refuse("columns_differ", f"the data set has no column {', '.join(missing[:10])}", "upload it again")
    problems = TableProblems(table, source.on_bad)
    stored = {column.name: problems.parse(column) for column in schema.columns}
    problems.raise_if_any()
    return Content(schema.columns, _split(stored, table), schema.inputs, schema.target, schema.guessed_target)


def _infer(
    table: Table,
    source: UploadSource,
    default_target: str | None,
    types: Mapping[str, ColumnType],
    unread: Sequence[str],
) -> Content:
    problems = TableProblems(table, source.on_bad)
    target = _target(table.names, source, default_target)
    given = source.column_types
    unknown = next((name for name in given if name not in table.columns), None)
    if unknown is not None:
        refuse("unknown_column", f'the table has no column "{unknown}"', 'it is named in "types" or "formats"')
    stored: dict[str, ParsedColumn] = {}
    columns: list[Column] = []
    for name, values in table.columns.items():
        type_name = given.get(name) or types.get(name) or infer_type(values, name == target)
        cell_format = (source.formats or {}).get(name)
        if type_name == "datetime" and types.get(name) != "datetime":
            check_written_dates(name, values, cell_format)
        draft = TYPE_CLASSES[type_name].draft(name, type_name, values, cell_format)
        decided_by: DecidedBy = "user" if name in given else "metadata" if name in types else "content"
        draft = draft.model_copy(update={"decided_by": decided_by, "unit": table.units.get(name, draft.unit)})
        stored[name] = problems.parse(draft)
        columns.append(draft)
        if name == target and has_missing(stored[name]):
            _report_missing_targets(stored[name], name, problems)
    problems.raise_if_any()
    columns = [TYPE_CLASSES[draft.type].describe(draft, stored[draft.name]) for draft in columns]
    cells = {column.name: written_numbers(column, table.columns[column.name]) for column in columns}
    columns, warnings = spell_labels(columns, {**cells, **table.spellings})
    _check_labels(columns)
    warnings += problems.warnings()
    readable = [name for name in table.columns if name != target and name not in unread]
    undecided = [column for column in columns if column.name in readable and column.name not in given]
    reasons = ignored_columns(undecided, stored, table.locations.row_counts, table.indexes)
    if reasons.keys() >= set(readable):
        reasons = {}  # nothing else is there to learn from
    columns = [column.model_copy(update={"ignored": reasons.get(column.name)}) for column in columns]
    for column in (each for each in columns if each.ignored is None):
        is_pointed = column.name in table.pointed
        warnings += column_notes(column, table.columns[column.name], given, source.formats or {}, is_pointed)
    warnings = [*ignored_warnings(columns), *warnings]
    inputs = tuple(name for name in readable if name not in reasons)
    if not inputs:
        return Content(tuple(columns), _split(stored, table), tuple(table.columns), warnings=tuple(warnings))
    guessed = target not in (source.target, default_target, *TARGET_NAMES)
    return Content(tuple(columns), _split(stored, table), inputs, target, guessed, tuple(warnings))


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


def has_missing(column: ParsedColumn) -> bool:
    """Return whether a value is missing, as None or NaN."""
    if isinstance(column, Tensor):
        return column.is_floating_point() and bool(column.isnan().any())
    return isinstance(column, Sequence) and any(value is None for value in column)


def _report_missing_targets(column: ParsedColumn, name: str, problems: ProblemSink) -> None:
    for row in range(len(column)):
        value = column[row] if isinstance(column, Tensor | Sequence) else True
        if value is None or (isinstance(value, Tensor) and bool(value.isnan().any())):
            problems.add_value(row, name, "missing_value", "the target is missing", "fill it, or leave the row out")


def _split(stored: Mapping[str, ParsedColumn], table: Table) -> dict[str, SplitColumns]:
    splits: dict[str, SplitColumns] = {}
    start = 0
    for split, count in zip(table.splits, table.locations.row_counts, strict=True):
        splits[split] = {name: slice_rows(column, start, start + count) for name, column in stored.items()}
        start += count
    return splits
