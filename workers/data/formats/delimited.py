"""CSV and TSV: a header, and a value in every cell."""

from array import array
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from app.errors import InvalidInput
from workers.data.files.column_names import check_column_names, check_same_columns
from workers.data.files.content import Content, Upload
from workers.data.files.problems import ProblemCollector, RowLocations, line_problem
from workers.data.files.split_files import SplitFile, split_files
from workers.data.formats.table_rows import TableRows, check_header, is_finite_number
from workers.data.notation.spellings import Spellings, inexact_integer, leading_zero, may_group_by_points
from workers.data.types.base import BaseColumnType
from workers.data.types.numbers import NumberType, has_notation, is_one_number
from workers.data.types.table import Table, TableOptions, build_content
from workers.data.types.texts import TextType, infer_texts
from workers.data.types.values import (
    BOOLEAN_VALUES,
    MAJORITY_FRACTION,
    MAX_EXACT_INTEGER,
    MIN_MAJORITY_ROWS,
    Values,
    count_booleans,
)

BLOCK_ROWS = 4096  # rows that are converted together
MAX_UNREADABLE = 1000  # cells of a number column that are kept to be reported


def read_csv(upload: Upload) -> Content:
    """Read a table whose cells are separated by commas, or as its first lines show. Raises `InvalidInput`."""
    return _content(read_csv_table(split_files(upload), TableOptions.from_upload(upload)), upload)


def read_tsv(upload: Upload) -> Content:
    """Read a table whose cells are separated by tabs. Raises `InvalidInput`."""
    return _content(read_tsv_table(split_files(upload), TableOptions.from_upload(upload)), upload)


def read_csv_table(files: Sequence[SplitFile], options: TableOptions) -> Table:
    """Read the values of files whose cells are separated by commas, or as their first lines show.

    Raises `InvalidInput`.
    """
    return _read(files, options, "")


def read_tsv_table(files: Sequence[SplitFile], options: TableOptions) -> Table:
    """Read the values of files whose cells are separated by tabs. Raises `InvalidInput`."""
    return _read(files, options, "\t")


def _content(table: Table, upload: Upload) -> Content:
    return build_content(table, upload)


def _read(files: Sequence[SplitFile], options: TableOptions, separator: str) -> Table:
    texts: frozenset[str] = frozenset()
    quotes = False
    while True:
        reader = _TableReader(separator, options, texts, quotes)
        try:
            for each in files:
                reader.read(each)
            reader.raise_if_any()
        except InvalidInput:
            if quotes or not reader.may_have_quotes:
                raise
            quotes = True  # between tabs they hide tabs and ends of lines where lines alone are no rows
            continue
        late = frozenset(name for name, column in reader.columns.items() if column.must_reread_as_text())
        if not late:
            return reader.table()
        texts |= late  # their first cells were dropped once they were converted to numbers


class _TableReader:
    """The columns of all files, side by side."""

    def __init__(self, separator: str, options: TableOptions, texts: frozenset[str], quotes: bool) -> None:
        self.columns: dict[str, _ColumnReader] = {}
        self.may_have_quotes = False  # whether reading quotes between tabs would change anything
        self._names: list[str] = []
        self._separator, self._options, self._texts, self._quotes = separator, options, texts, quotes
        self._locations, self._splits = RowLocations(), list[str]()
        self._problems = ProblemCollector()
        self._indexes = set[str]()
        self._unnamed: dict[str, bool] = {}  # column without a name in the header → whether it has any value

    def read(self, part: SplitFile) -> None:
        """Read a file."""
        self._splits.append(part.split)
        self._locations.start_file(part.name)
        rows = TableRows(part, self._separator, self._options, self._quotes)
        self.may_have_quotes |= rows.may_have_quotes
        names = self._header(rows.header, part.name)
        while block := list(islice(rows, BLOCK_ROWS)):
            self._add(block, names, part.name)
            if len(self._locations):
                self._options.check_row_count(len(self._locations))
        rows.add_warnings()

    def _header(self, header: Sequence[str], file: str) -> list[str]:
        """Return the names of the columns; one without a name is called by its place."""
        names = [cell.strip() or f"column_{number}" for number, cell in enumerate(header, start=1)]
        self._indexes |= {name for name, cell in zip(names, header, strict=True) if not cell.strip()}
        if self._options.infer:
            check_header(names, file, self._options.warnings)
        check_column_names(names, file)
        if self._names:
            check_same_columns(names, self._names, file)
        else:
            self._names = names
            self._unnamed = {name: False for name, cell in zip(names, header, strict=True) if not cell.strip()}
            self.columns = {
                name: _ColumnReader(
                    self._options.type_class(name),
                    self._is_text(name),
                    self._options.infer,
                    has_booleans=name in self._options.types and name not in self._options.plain,
                )
                for name in names
                if self._options.infer or name in self._options.types
            }
        return names

    def _is_text(self, name: str) -> bool:
        return name in self._texts or name in self._options.formats

    def _add(self, block: list[tuple[int, list[str]]], names: list[str], file: str) -> None:
        rows = []
        for line, row in block:
            if len(row) == len(names):
                rows.append((line, row))
                continue
            detail = f"has {len(row):,} cells, the header has {len(names):,}"
            hint = "the file may be truncated, or a comma needs quotes"
            self._problems.add(line_problem(file, line, "columns_differ", detail, hint))
        first = len(self._locations)
        self._locations.add(line for line, _ in rows)
        for name, cells in zip(names, zip(*(row for _, row in rows), strict=True), strict=False):
            if name in self._unnamed:
                self._unnamed[name] = self._unnamed[name] or any(map(str.strip, cells))
            if name in self.columns:
                self.columns[name].extend(cells, first)

    def raise_if_any(self) -> None:
        """Raise `InvalidInput` for rows of another length than the header."""
        self._problems.raise_if_any()

    def table(self) -> Table:
        """Return the table, without columns that have neither a name nor a value."""
        empty = [name for name, is_filled in self._unnamed.items() if not is_filled]
        for name in empty:
            self.columns.pop(name, None)
            detail = f"{name.replace('_', ' ')} has neither a name nor a value, and was left out"
            self._options.warnings.add("", "empty_column", detail, "end no line with a separator")
        unreadable = [(row, name, cell) for name, each in self.columns.items() for row, cell in each.unreadable]
        columns = {name: column.values(self._options.infer) for name, column in self.columns.items()}
        return Table(
            [name for name in self._names if name not in empty],
            columns,
            self._locations,
            self._splits,
            unreadable,
            {name: column.unreadable_count for name, column in self.columns.items() if column.unreadable_count},
            {name: cells for name, column in self.columns.items() if (cells := column.spellings()) is not None},
            pointed=frozenset(name for name, column in self.columns.items() if column.is_pointed()),
            indexes=frozenset(self._indexes.difference(empty)),
            warnings=self._options.warnings.warnings,
        )


class _ColumnReader:
    """A column while it is read: as numbers as long as it has any, else as text."""

    def __init__(self, kind: type[BaseColumnType] | None, text: bool, infer: bool, has_booleans: bool) -> None:
        self.unreadable: list[tuple[int, str]] = []  # (row, cell), the first ones that are no numbers
        self.unreadable_count = 0
        self._kind, self._infer = kind, infer  # no kind: to be inferred
        self._has_booleans = has_booleans  # whether true and false are numbers from the beginning
        self._numbers = array("d")
        self._values: list[Any] | None = None if kind in (None, NumberType) and not text else []
        self._missing = 0
        self._code: str | None = None  # a cell of digits that no number stands for
        self._spellings = Spellings()
        self._points: bool | None = None if infer else False  # whether all cells may have points between thousands
        self._unique: dict[str, str] = {}  # equal texts are one object

    def extend(self, cells: Sequence[str], first: int) -> None:
        """Add cells, the first of which is in row `first`."""
        if self._values is None:
            has_numbers = bool(self._numbers)
            numbers = self._parse_numbers(cells, first)
            self._numbers.extend(numbers)
            if self._infer:
                self._spellings.add(cells)
                self._points = self._points is not False and may_group_by_points(cells)
            if self._kind is None and self._code is None:
                self._code = leading_zero(cells) or (inexact_integer(cells) if _has_inexact(numbers) else None)
            if has_numbers or not self._is_text():
                return
            self._values, self.unreadable, self.unreadable_count = [], [], 0
        decode = TextType.decode if self._kind in (None, NumberType) else self._kind.decode
        self._values += [decode(self._unique.setdefault(cell, cell)) for cell in map(str.strip, cells)]
        if len(self._unique) > BLOCK_ROWS:
            self._unique.clear()

    def _parse_numbers(self, cells: Sequence[str], first: int) -> "array[float]":
        try:
            numbers = array("d", map(float, cells))
            if np.isfinite(np.frombuffer(numbers)).all() and "_" not in "".join(cells):
                return numbers
        except ValueError:
            pass
        return array("d", [self._parse_number(cell, first + row) for row, cell in enumerate(cells)])

    def _parse_number(self, cell: str, row: int) -> float:
        value = NumberType.decode(cell)
        if value is None:
            self._missing += 1
            return float("nan")
        if isinstance(value, float) and self._is_number(cell):
            return value
        self.unreadable_count += 1
        if len(self.unreadable) < MAX_UNREADABLE:
            self.unreadable.append((row, cell.strip()))
        return float("nan")

    def _is_number(self, cell: str) -> bool:
        """Return whether a cell that float reads, or true or false, is a number in this column."""
        if self._kind is None:
            return is_finite_number(cell)
        return self._has_booleans or cell.strip().lower() not in BOOLEAN_VALUES

    def _is_text(self) -> bool:
        """Return whether the cells so far are words, codes, or numbers of another format."""
        if not self._infer or not self.unreadable_count:
            return self._code is not None
        if has_notation(cell for _, cell in self.unreadable):
            return True
        count = len(self._numbers) - self._missing
        few = count <= MIN_MAJORITY_ROWS or self.unreadable_count > (1 - MAJORITY_FRACTION) * count
        return self._code is not None or (self._kind is None and few)

    def must_reread_as_text(self) -> bool:
        """Return whether what began as numbers is text."""
        if self._values is not None or not self._infer:
            return False
        return self._is_text() or (self._kind is None and is_one_number(self._spellings.counts()))

    def is_pointed(self) -> bool:
        """Return whether decimal points may be meant to divide thousands: three digits are behind each of them."""
        return (
            self._values is None and bool(self._points) and not all(map(float.is_integer, self._numbers[:BLOCK_ROWS]))
        )

    def values(self, infer: bool) -> Values:
        """Return the values: float64 (N) of numbers."""
        if self._values is None:
            return np.array(self._numbers)
        return infer_texts(self._values, self._kind) if infer else self._values

    def spellings(self) -> Mapping[str, int] | None:
        """Return the different cells of numbers, or of true and false, if they are few."""
        if self._values is None:
            return self._spellings.counts()
        return count_booleans(self._values)


def _has_inexact(numbers: "array[float]") -> bool:
    """Return whether float64 may lack digits of whole numbers."""
    return bool(numbers) and bool((np.abs(np.frombuffer(numbers)) >= MAX_EXACT_INTEGER).any())
