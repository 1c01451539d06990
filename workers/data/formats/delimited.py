"""CSV and TSV: a header, and a value in every cell."""

import csv
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

import numpy as np

from app.errors import InvalidInput
from workers.data.files.content import Content, Upload
from workers.data.files.lines import MAX_LINE_BYTES, read_lines
from workers.data.files.problems import MAX_PROBLEMS, ProblemCollector, RowLocations, abbreviate, line_problem, refuse
from workers.data.files.split_files import SplitFile, split_files
from workers.data.types.inference import MAJORITY_FRACTION, MIN_MAJORITY_ROWS, Cells
from workers.data.types.table import build_content, check_column_names, target_column
from workers.data.types.values import parse_texts

BLOCK_ROWS = 4096  # rows that are looked at together
MISSING_VALUES = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})  # among numbers; among texts only ""


def read_csv(upload: Upload) -> Content:
    """Read a table whose cells stand between commas, or semicolons. Raises `InvalidInput`."""
    return _read(upload, "")


def read_tsv(upload: Upload) -> Content:
    """Read a table whose cells stand between tabs. Raises `InvalidInput`."""
    return _read(upload, "\t")


def _read(upload: Upload, delimiter: str) -> Content:
    types = upload.source.types or {}
    texts = frozenset(name for name, kind in types.items() if kind != "number")
    while True:
        table = _TableReader(delimiter, texts, frozenset(types) - texts)
        for each in split_files(upload):
            table.read(each)
        late = frozenset(name for name, column in table.columns.items() if column.must_reread_as_text())
        if not late:
            return table.content(upload)
        texts |= late  # their cells were thrown away as soon as they were numbers: once more


def read_rows(file: BinaryIO, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of every row, the header first, with the number of the line at which each begins.

    Without `delimiter` cells stand between commas or semicolons. Raises `InvalidInput`.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    text = read_lines(file, name)
    first = next(text, "")
    sign = delimiter or (";" if first.count(";") > first.count(",") else ",")
    options: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if sign == "\t" else {"strict": True}
    reader = csv.reader(_prepend(first, text), delimiter=sign, **options)
    yield from _with_line_numbers(reader, name)


def column_names(header: Sequence[str]) -> list[str]:
    """Return the names of the columns; one without a name is called by its place."""
    return [cell.strip() or f"column_{number}" for number, cell in enumerate(header, start=1)]


class _TableReader:
    """The columns of all files, side by side."""

    def __init__(self, delimiter: str, texts: frozenset[str], numbers: frozenset[str]) -> None:
        self.columns: dict[str, _ColumnReader] = {}
        self._delimiter, self._texts, self._numbers = delimiter, texts, numbers
        self._places, self._splits = RowLocations(), list[str]()
        self._findings = ProblemCollector()

    def read(self, part: SplitFile) -> None:
        """Read a file."""
        self._splits.append(part.split)
        self._places.start_file(part.name)
        with part.open() as file:
            rows = read_rows(file, part.name, self._delimiter)
            order = self._header(next(rows, (1, []))[1], part.name)
            while block := list(islice(rows, BLOCK_ROWS)):
                self._take(block, order, part.name)

    def _header(self, header: list[str], name: str) -> list[str]:
        names = column_names(header)
        if len(names) < 2:
            refuse(
                "no_columns",
                "a table has a header and at least two columns",
                "separate columns by commas, or tell another format",
                name,
            )
        check_column_names(names, name)
        if all(map(_is_number, names)):
            refuse(
                "no_header",
                "the first line has numbers, and not the names of the columns",
                "put a line with names on top",
                name,
            )
        if not self.columns:
            self.columns = {each: _ColumnReader(each in self._texts, each in self._numbers) for each in names}
        elif self.columns.keys() != set(names):
            differing = ", ".join(sorted(self.columns.keys() ^ set(names))[:10])
            refuse(
                "columns_differ",
                f"the files differ in these columns: {differing}",
                "give all of them the same header",
                name,
            )
        return names

    def _take(self, block: list[tuple[int, list[str]]], names: list[str], file: str) -> None:
        kept = []
        for line, row in block:
            if len(row) == len(names):
                kept.append((line, row))
            elif row:  # no blank line
                detail = f"has {len(row)} cells, the header has {len(names)}"
                hint = "the file may be truncated, or a comma needs quotes"
                self._findings.add(line_problem(file, line, "columns_differ", detail, hint))
        first = len(self._places)
        self._places.add(line for line, _ in kept)
        for name, cells in zip(names, zip(*(row for _, row in kept), strict=True), strict=False):
            self.columns[name].extend(cells, first)

    def content(self, upload: Upload) -> Content:
        """Return the content. Raises `InvalidInput`."""
        odd = [(row, name, cell) for name, column in self.columns.items() for row, cell in column.non_numeric]
        for row, name, cell in sorted(odd):
            hint = "leave the cell empty if the number is missing"
            detail = f'"{abbreviate(cell)}" is not a finite number'
            self._findings.add(self._places.problem_at(row, name, "not_a_number", detail, hint))
        self._findings.raise_if_any()
        names = list(self.columns)
        target = target_column(names, upload.source, last=True)
        cells = {name: column.cells() for name, column in self.columns.items()}
        unread = [name for name in names[:1] if name == "column_1" and _is_row_index(cells[name])]
        return build_content(cells, self._splits, self._places, upload.source, target=target, unread=unread)


class _ColumnReader:
    """A column on its way: numbers as long as it has any, else texts."""

    def __init__(self, text: bool, number: bool) -> None:
        self.non_numeric: list[tuple[int, str]] = []  # (row, cell), the first ones among numbers that are none
        self._number = number  # whatever comes
        self._numbers = array("d")
        self._texts: list[str | None] | None = [] if text else None
        self._odd = self._missing = 0
        self._same: dict[str, str] = {}  # equal texts are one object

    def extend(self, cells: Sequence[str], first: int) -> None:
        """Take some more cells, the first of which is in row `first`."""
        if self._texts is None:
            begun = bool(self._numbers)
            self._numbers.extend(self._read(cells, first))
            if begun or not self._is_text():
                return
            self._texts, self.non_numeric = [], []
        self._texts += [self._same.setdefault(cell, cell) or None for cell in map(str.strip, cells)]
        if len(self._same) > BLOCK_ROWS:
            self._same.clear()

    def _read(self, cells: Sequence[str], first: int) -> "array[float]":
        try:
            found = array("d", map(float, cells))
            if np.isfinite(np.frombuffer(found)).all() and not any("_" in cell for cell in cells):
                return found
        except ValueError:
            pass
        return array("d", [self._read_cell(cell.strip(), first + row) for row, cell in enumerate(cells)])

    def _read_cell(self, cell: str, row: int) -> float:
        if cell.lower() in MISSING_VALUES:
            self._missing += 1
            return float("nan")
        if _is_number(cell):
            return float(cell)
        self._odd += 1
        if len(self.non_numeric) < MAX_PROBLEMS:
            self.non_numeric.append((row, cell))
        return float("nan")

    def _is_text(self) -> bool:
        there = len(self._numbers) - self._missing
        return (
            not self._number
            and self._odd > 0
            and (there <= MIN_MAJORITY_ROWS or self._odd > (1 - MAJORITY_FRACTION) * there)
        )

    def must_reread_as_text(self) -> bool:
        """Say whether what began as numbers is none."""
        return self._texts is None and self._is_text()

    def cells(self) -> Cells:
        """Return the values."""
        if self._texts is None:
            return np.array(self._numbers)
        return parse_texts(self._texts)


def _prepend(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _with_line_numbers(reader: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield rows with the number of the line that each begins at. Raises `InvalidInput`."""
    line = 1
    try:
        for row in reader:
            yield line, row if reader.dialect.quoting != csv.QUOTE_NONE else list(map(_unquote, row))
            line = reader.line_num + 1
    except csv.Error as error:
        hint = "a quote inside a quoted cell is written twice; the file may be truncated"
        raise InvalidInput([line_problem(name, line, "unreadable", f"the row cannot be read: {error}", hint)]) from None


def _unquote(cell: str) -> str:
    """Return a cell between tabs, where quotes stand for themselves unless a spreadsheet put them around all of it."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _is_number(cell: str) -> bool:
    try:
        return "_" not in cell and abs(float(cell)) < float("inf")
    except ValueError:
        return False


def _is_row_index(cells: Cells) -> bool:
    """Say whether a column without a name is the number of the row, as some programs write it."""
    return isinstance(cells, np.ndarray) and bool((np.diff(cells) == 1).all()) and cells[:1].tolist() in ([0.0], [1.0])
