"""The dialect of a table in text: what separates its cells, and where its header stands.

Programs differ: spreadsheets write commas or semicolons by the language of their machine, databases tabs or bars, R and
statistical packages blanks; some write a line `sep=;`, comments, or row names without a name above them.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workers.data.files.problems import WarningCollector, format_count

SAMPLE_LINES = 256  # lines at the beginning that decide the dialect
SEPARATORS = (",", ";", "\t", "|")
BLANKS = " "  # any number of blanks or tabs between cells
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
COMMENT = "#"


class UnreadableRow(ValueError):
    """A row is not of the dialect."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True)
class Dialect:
    """How the lines of a table become rows."""

    separator: str = ","
    quotes: bool = True  # whether quotes may hide separators and ends of lines
    first_line: int = 0  # lines before the header, which are left out
    commented_header: bool = False  # whether the header begins with "#"
    row_names: bool = False  # whether rows begin with a cell that has no name in the header

    def with_quotes(self) -> "Dialect":
        """Return the dialect in which quotes hide separators."""
        return replace(self, quotes=True)

    def read(self, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield the cells of every line, or of several ones in quotes, with the number of the first line.

        Raises `UnreadableRow`.
        """
        options: dict[str, Any] = {"quoting": csv.QUOTE_NONE}
        if self.quotes:
            options = {"strict": True, "skipinitialspace": self.separator != "\t"}
        plain = map(_squeeze, lines) if self.separator == BLANKS else lines
        reader = csv.reader(plain, delimiter=self.separator, **options)
        number = 1
        try:
            for cells in reader:
                yield number, cells if self.quotes else [_unquote(cell) for cell in cells]
                number = reader.line_num + 1
        except csv.Error as error:
            raise UnreadableRow(number, str(error)) from None


def _squeeze(line: str) -> str:
    """Return a line with one blank between cells; in a line with quotes, only without those around it."""
    return (line.strip() if '"' in line else " ".join(line.split())) + "\n"


def _unquote(cell: str) -> str:
    """Return a cell between tabs: quotes are plain there, unless a spreadsheet put them around the whole cell."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def detect_dialect(
    sample: Sequence[str], separator: str, known: Iterable[str], warnings: WarningCollector, file: str
) -> Dialect:
    """Return the dialect of a table by its first lines.

    `separator` is that of the format, if it says so; `known` are the names of columns, if they are known.
    """
    start = next((number for number, line in enumerate(sample) if line.strip()), 0)
    separator_line = SEPARATOR_LINE.fullmatch(sample[start].strip("\ufeff\r\n")) if sample else None
    if separator_line is not None:
        start, separator = start + 1, separator_line[1]
    header, comments = start, 0
    while header < len(sample) and (not sample[header].strip() or sample[header].startswith(COMMENT)):
        comments += sample[header].startswith(COMMENT)
        header += 1
    if header == len(sample):
        header, comments = start, 0
    separator = separator or _consistent_separator(sample[header:], frozenset(known))
    dialect = Dialect(separator, quotes=separator != "\t", first_line=header)
    place = f"{file}: " if file else ""
    if separator == BLANKS:
        detail = f"{place}blanks were read as separators of cells"
        warnings.add("", "separator", detail, "separate cells by commas or tabs")
    if comments and (line := _commented_header(dialect, sample, header)) is not None:
        dialect, comments = replace(dialect, first_line=line, commented_header=True), comments - 1
        detail = f'{place}line {line + 1} begins with "{COMMENT}", and was read as the header'
        warnings.add("", "commented_header", detail, f'remove "{COMMENT}" from the header')
    if comments:
        detail = f'{place}{format_count(comments, "line")} with "{COMMENT}" before the header left out'
        warnings.add("", "comments", detail, "remove them")
    rows = _sample_rows(dialect, sample)
    if (
        len(rows) > 1
        and {len(row) for row in rows[1:]} == {len(rows[0]) + 1}
        and any(row[-1].strip() for row in rows[1:])
    ):
        dialect = replace(dialect, row_names=True)
        detail = f"{place}the header has a name less than the rows have cells: the first cells were read as row names"
        warnings.add("/columns/column_1", "row_names", detail, "give them a name in the header")
    return dialect


def _consistent_separator(sample: Sequence[str], known: frozenset[str]) -> str:
    """Return the separator by which rows are as long as the header; blanks only where there is no other."""
    first = sample[0].strip() if sample else ""
    if first.strip('"') in known:
        return ","
    best, most = "", (False, 1)
    for each in SEPARATORS:
        rows = _sample_rows(Dialect(each, quotes=each != "\t"), sample)
        width = len(rows[0]) if rows else 0
        if width > 1:
            found = (all(len(row) == width for row in rows), width)
            best, most = (each, found) if found > most else (best, most)
    if best and most[0]:
        return best
    blanks = _sample_rows(Dialect(BLANKS), sample)
    widths = {len(row) for row in blanks[1:]}
    if widths and len(blanks[0]) > 1 and widths in ({len(blanks[0])}, {len(blanks[0]) + 1}):
        return BLANKS
    return best or ","


def _sample_rows(dialect: Dialect, sample: Sequence[str]) -> list[list[str]]:
    """Return the rows of a sample but the last, which may be incomplete; blank ones are left out."""
    lines = sample[dialect.first_line :]
    if dialect.commented_header:
        lines = [lines[0].removeprefix(COMMENT), *lines[1:]]
    rows = []
    try:
        for _, cells in dialect.read(lines):
            if any(cell.strip() for cell in cells):
                rows.append(cells)
    except UnreadableRow:
        pass
    return rows[:-1] if len(sample) == SAMPLE_LINES and len(rows) > 2 else rows


def _commented_header(dialect: Dialect, sample: Sequence[str], first: int) -> int | None:
    """Return the line of the last comment if it is the header of the row below, which has as many cells."""
    line = next(number for number in reversed(range(first)) if sample[number].startswith(COMMENT))
    plain = sample[line].removeprefix(COMMENT)
    rows = _sample_rows(replace(dialect, first_line=0), [plain, *sample[first:]])
    if len(rows) < 2 or len(rows[0]) < 2 or len(rows[0]) != len(rows[1]):
        return None
    below = any(map(is_number, rows[1]))
    return line if below or not plain.startswith((" ", "\t")) else None


def is_number(cell: str) -> bool:
    """Return whether a cell holds a finite number."""
    try:
        return abs(float(cell)) < float("inf")
    except ValueError:
        return False
