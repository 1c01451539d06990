"""Numbers, which may be missing."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.errors import Problem
from app.spec.data.columns import Column, ColumnType
from app.spec.problems import json_pointer
from workers.data.files.problems import abbreviate, format_value
from workers.data.notation.number_formats import AmbiguousNotation, NumberNotation, detect_notation, refuse_ambiguous
from workers.data.notation.spellings import inexact_integer, leading_zero
from workers.data.types.base import BAD_CELL_HINT, BaseColumnType, ProblemSink, Statistics, ValueLimits
from workers.data.types.statistics import summarize
from workers.data.types.values import (
    BOOLEAN_VALUES,
    MAX_EXACT_INTEGER,
    MISSING_VALUES,
    Values,
    count_cells,
    count_missing,
    is_inexact_integer,
    max_bad_share,
    to_float,
)

MAX_CATEGORIES = 20  # with so many different whole numbers a column is a choice, with more a quantity
MAX_FLOAT32 = float(torch.finfo(torch.float32).max)
CHUNK_SIZE = 1 << 16  # numbers that are looked through at once
NULL_HINT = "write null if the value is missing"
MAX_SHOWN_SPELLINGS = 5
MAX_PARSED_CELLS = 1 << 16  # different texts of which the numbers are remembered

CellParser = Callable[[str], float | None]


class NumberType(BaseColumnType):
    """float64 (N), NaN where a number is missing."""

    families = frozenset({float, str})

    @classmethod
    def infer(cls, values: Values, is_target: bool) -> bool:
        """Return whether texts are numbers: all of them have one format, and none looks like a code."""
        cells = count_cells(values)
        if any(map(is_inexact_integer, values)) or code_cell(cells) is not None or is_one_number(cells):
            return False
        try:
            return detect_notation(cells, max_bad_share(cells)) is not None
        except AmbiguousNotation:
            return True

    @classmethod
    def draft(cls, name: str, kind: ColumnType, values: Values, cell_format: str | None = None) -> Column:
        """Return the format and the unit of numbers in text. Raises `InvalidInput` if the format is ambiguous."""
        column = Column(name=name, type=kind, missing=count_missing(values), format=cell_format)
        cells = count_cells(values)
        try:
            notation = detect_notation(cells, max_bad_share(cells), cell_format)
        except AmbiguousNotation as error:
            refuse_ambiguous(name, error)
        if notation is None:
            return column
        return column.model_copy(update={"format": notation.format, "unit": notation.unit})

    @classmethod
    def decode(cls, text: str) -> float | str | None:
        """Return the number in a cell, 1.0 for true and 0.0 for false; a cell without one, as it is."""
        word = text.strip()
        lower = word.lower()
        if lower in MISSING_VALUES:
            return None
        if lower in BOOLEAN_VALUES:
            return BOOLEAN_VALUES[lower]
        try:
            number = float(word)
        except ValueError:
            return word
        return word if "_" in word or np.isnan(number) else number

    @classmethod
    def parse(cls, values: Values, column: Column, problems: ProblemSink, limits: ValueLimits | None = None) -> Tensor:
        """Return float64 (N). In a request, numbers beyond the range of float32 are problems."""
        if isinstance(values, np.ndarray):
            numbers = values.astype(np.float64, copy=False)
        else:
            parse_cell = cell_parser(column, is_request=limits is not None)
            numbers = np.array(
                [cls._number(row, value, column, parse_cell, problems) for row, value in enumerate(values)], float
            )
        bad = np.isinf(numbers) if limits is None else np.abs(numbers) > MAX_FLOAT32
        for row in np.flatnonzero(bad).tolist():
            if limits is None:
                detail = f"expected a finite number, got {numbers[row]}"
                problems.add_value(row, column.name, "not_a_number", detail, "leave it out if it is missing")
            else:
                detail = f"{numbers[row]:g} is beyond the range of float32"
                problems.add_value(row, column.name, "out_of_range", detail, "use a smaller number")
        if limits is not None and limits.is_required:
            for row in np.flatnonzero(np.isnan(numbers)).tolist():
                hint = "the network was trained on rows without missing values"
                problems.add_value(row, column.name, "missing_value", "the number is missing", hint)
        return torch.from_numpy(numbers)

    @classmethod
    def _number(cls, row: int, value: object, column: Column, parse_cell: CellParser, problems: ProblemSink) -> float:
        if value is None:
            return float("nan")
        if isinstance(value, int | float):
            return to_float(value)
        number = parse_cell(value) if isinstance(value, str) else None
        if number is not None:
            return number
        detail = f"expected a number{_format_sample(column)}, got {format_value(value)}"
        code = "not_a_number" if column.format is not None and isinstance(value, str) else "wrong_type"
        hint = BAD_CELL_HINT
        if code == "wrong_type":
            is_quoted = isinstance(value, str) and number_in(value, column) is not None
            hint = "write it without quotes" if is_quoted else NULL_HINT
        problems.add_value(row, column.name, code, detail, hint)
        return 0.0

    @classmethod
    def describe(cls, column: Column, stored: Tensor) -> Column:
        """Count what is missing, and add labels if the numbers are whole and have at most 20 different values."""
        labels = _integer_labels(stored.numpy())
        missing = int(stored.isnan().sum())
        return column.model_copy(update={"missing": missing, "labels": labels, "classes": labels and len(labels)})

    @classmethod
    def statistics(cls, stored: Tensor) -> Statistics | None:
        """Return min, mean, max and std."""
        return summarize(stored)


def _integer_labels(values: np.ndarray[Any, Any]) -> tuple[str, ...] | None:
    """Return the different numbers as text, in order, if they are few and whole."""
    different: set[float] = set()
    for start in range(0, len(values), CHUNK_SIZE):
        part = values[start : start + CHUNK_SIZE]
        different |= set(np.unique(part[~np.isnan(part)]).tolist())
        if len(different) > MAX_CATEGORIES:
            return None
    if not different or not all(value.is_integer() and abs(value) < MAX_EXACT_INTEGER for value in different):
        return None
    return tuple(str(int(value)) for value in sorted(different))


def cell_parser(column: Column, is_request: bool) -> CellParser:
    """Return what reads the texts of a column of numbers: NaN for a missing number, `None` for what is none.

    A label is the number that it stands for. Other texts in requests are numbers only if the column has a format.
    """
    by_text = {label: value for value, label in label_values(column).items()}

    def parse(text: str) -> float | None:
        if text in by_text:
            return by_text[text]
        if is_request and column.format is None:
            return None
        number = float("nan") if text.strip().lower() in MISSING_VALUES else number_in(text, column)
        if number is not None and len(by_text) < MAX_PARSED_CELLS:
            by_text[text] = number
        return number

    return parse


def label_values(column: Column) -> dict[float, str]:
    """Return the labels of a column of numbers by the number that each stands for, such as 1.0: "TRUE"."""
    return {value: label for label in column.labels or () if (value := number_in(label, column)) is not None}


def number_in(cell: str, column: Column) -> float | None:
    """Return the number that a cell of the column's format holds, also of true and false; `None` if there is none."""
    if column.format is not None:
        return NumberNotation(column.format, column.unit).parse(cell)
    value = NumberType.decode(cell)
    return value if isinstance(value, float) else None


def spell_labels(
    columns: Iterable[Column], spellings: Mapping[str, Mapping[str, int]]
) -> tuple[list[Column], list[Problem]]:
    """Return the columns with labels as their cells are spelt, and a warning for each whose spellings are merged.

    Cells of one value share a label: their most frequent spelling, or the first of equally frequent ones.
    """
    spelt, warnings = [], []
    for column in columns:
        cells = spellings.get(column.name)
        if column.type != "number" or column.labels is None or not cells:
            spelt.append(column)
            continue
        by_value: dict[float, Counter[str]] = {}
        stored = {float(label) for label in column.labels}
        for cell, count in cells.items():
            value = number_in(cell, column)
            if value in stored:  # not of true among numbers, which counts as missing
                by_value.setdefault(value, Counter())[cell.strip()] += count
        labels = tuple(words.most_common(1)[0][0] for _, words in sorted(by_value.items()))
        spelt.append(column.model_copy(update={"labels": labels}))
        if merged := [words for words in by_value.values() if len(words) > 1]:
            warnings.append(_merged_spellings(column.name, merged[0], len(merged)))
    return spelt, warnings


def _merged_spellings(name: str, words: Counter[str], count: int) -> Problem:
    spellings = ", ".join(f'"{abbreviate(word)}"' for word in list(words)[:MAX_SHOWN_SPELLINGS])
    label = abbreviate(words.most_common(1)[0][0])
    detail = f'column "{name}": {spellings} are one number, and one label "{label}" among classes'
    more = f"; so are the spellings of {count - 1} other numbers" if count > 1 else ""
    hint = f'"types": {{"{name}": "category"}} keeps the spellings apart, {{"{name}": "number"}} says they are equal'
    return Problem(json_pointer(["columns", name]), "merged_spellings", detail + more, hint)


def code_cell(cells: Iterable[str]) -> str | None:
    """Return the first cell of digits that no number can stand for: with leading zeros, or more than float64 has."""
    return leading_zero(cells) or inexact_integer(cells)


def is_one_number(cells: Mapping[str, int] | None) -> bool:
    """Return whether cells are one number in several spellings, such as `1E2` and `100`: words, else all were equal."""
    if cells is None or not 1 < len(cells) <= MAX_CATEGORIES:
        return False
    words = {cell.strip() for cell in cells if cell.strip().lower() not in MISSING_VALUES}
    return len(words) > 1 and len({NumberType.decode(word) for word in words}) == 1


def has_notation(cells: Iterable[str]) -> bool:
    """Return whether cells that are no numbers of Python are numbers of another format."""
    counts = Counter(cells)
    try:
        return detect_notation(counts, max_bad_share(counts)) is not None
    except AmbiguousNotation:
        return True


def _format_sample(column: Column) -> str:
    if column.format is None:
        return ""
    return f" written as {column.format}" + (f" with the unit {column.unit}" if column.unit is not None else "")
