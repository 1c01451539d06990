"""The rows of a table in text: a header, and as many cells in every row."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain, islice, pairwise

from app.errors import InvalidInput
from workers.data.files.dialects import COMMENT, SAMPLE_LINES, UnreadableRow, detect_dialect
from workers.data.files.encodings import MAX_LINE_BYTES
from workers.data.files.problems import WarningCollector, abbreviate, format_count, line_problem, refuse
from workers.data.files.split_files import SplitFile
from workers.data.types.numbers import NumberType
from workers.data.types.table import TableOptions
from workers.data.types.values import BOOLEAN_VALUES


class TableRows(Iterator[tuple[int, list[str]]]):
    """The rows of a file after its header, each with the number of the line at which it begins.

    Blank lines are no rows, and neither are those of empty cells alone in a data set. Empty cells beyond the last
    column are left out. Iterating raises `InvalidInput`.
    """

    def __init__(self, part: SplitFile, separator: str, options: TableOptions, quotes: bool) -> None:
        csv.field_size_limit(MAX_LINE_BYTES)
        self._name, self._options = part.name, options
        lines = part.read_text(options.warnings)
        sample = list(islice(lines, SAMPLE_LINES))
        known = () if options.infer else options.types
        dialect = detect_dialect(sample, separator, known, options.warnings, part.name)
        self.may_have_quotes = not dialect.quotes
        if quotes and not dialect.quotes:
            dialect = dialect.with_quotes()
        self._first_line = dialect.first_line
        top = sample[dialect.first_line :]
        if dialect.commented_header:
            top[0] = top[0].removeprefix(COMMENT)
        self._rows = dialect.read(chain(top, lines))
        self._blank = self._empty = self._beyond = self._gaps = self._repeats = 0
        self._first_repeat = 0  # the line of the first row that is the header again
        self._stream = self._filled()
        header = next(self._stream, (1, []))[1]
        self.header: list[str] = ["", *header] if dialect.row_names else header
        self._blank = self._gaps = 0
        self._looks_like_sentences = dialect.separator in ("\t", " ")

    def __next__(self) -> tuple[int, list[str]]:
        line, cells = next(self._stream)
        width = len(self.header)
        if len(cells) > width and not any(map(str.strip, cells[width:])):
            self._beyond += 1
            cells = cells[:width]
        if cells == self.header:
            self._repeats += 1
            self._first_repeat = self._first_repeat or line
        return line, cells

    def _filled(self) -> Iterator[tuple[int, list[str]]]:
        """Yield rows that are not blank."""
        width = 0  # of the header; a quoted empty cell is the value of an only column
        try:
            for line, cells in self._rows:
                if not cells or (width != 1 and len(cells) == 1 and not cells[0].strip()):
                    self._blank += 1
                    continue
                if self._options.drop_empty_rows and not any(map(str.strip, cells)):
                    self._empty += 1
                    continue
                self._gaps, self._blank = self._gaps + self._blank, 0
                width = width or len(cells)
                yield line + self._first_line, cells
        except UnreadableRow as error:
            detail = f"the row cannot be read: {error}"
            hint = "a quote inside a quoted cell is written twice; the file may be truncated"
            problem = line_problem(self._name, error.line + self._first_line, "unreadable", detail, hint)
            raise InvalidInput([problem]) from None

    def add_warnings(self) -> None:
        """Add what was left out."""
        place = f"{self._name}: " if self._name else ""
        warnings = self._options.warnings
        if self._empty:
            detail = f"{place}{format_count(self._empty, 'row')} without any value left out"
            warnings.add("", "empty_rows", detail, "remove them from the file")
        if self._beyond:
            detail = f"{place}empty cells beyond the last column left out in {format_count(self._beyond, 'row')}"
            warnings.add("", "empty_cells", detail, "end no line with a separator")
        if self._repeats:
            rows = "1 row equals" if self._repeats == 1 else f"{self._repeats} rows equal"
            detail = f"{place}{rows} the header, first in line {self._first_repeat}: its names were read as values"
            hint = "keep one line of names, on top; if the first line is a row, put names above it"
            warnings.add("", "repeated_header", detail, hint)
        if self._gaps and self._looks_like_sentences:
            detail = f"{place}{format_count(self._gaps, 'blank line')} between rows left out"
            warnings.add("", "blank_lines", detail, 'remove them; if they divide sentences, give "format": "conll"')


def check_header(names: Sequence[str], file: str, warnings: WarningCollector) -> None:
    """Raise `InvalidInput` if the first line of a new table cannot be its header."""
    if len(names) < 2:
        hint = 'separate columns by commas, or name another format; one column alone goes as JSONL: {"text": …} a line'
        refuse("no_columns", "a table has a header and at least two columns", hint, file)
    numbers = [float(name) for name in names if is_finite_number(name)]
    if not numbers:
        return
    ascending = all(first < second for first, second in pairwise(numbers))
    if len(numbers) == len(names) or not ascending:
        detail = "the first line has numbers, not the names of the columns"
        refuse("no_header", detail, "put a line with names on top", file)
    shown = abbreviate(", ".join(name for name in names if is_finite_number(name)))
    detail = f"the first line was read as the header, and has numbers in it: {shown}"
    warnings.add("", "numbers_in_header", detail, "rename these columns; if it is a row, put a line with names on top")


def is_finite_number(cell: str) -> bool:
    """Return whether a cell holds a number: no word for one, such as true or inf."""
    value = NumberType.decode(cell)
    return isinstance(value, float) and abs(value) != float("inf") and cell.strip().lower() not in BOOLEAN_VALUES
