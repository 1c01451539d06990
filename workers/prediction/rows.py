"""From the rows of a request to columns of the data set."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from app.spec.data.columns import ColumnType
from app.spec.problems import Hints
from workers.data.columns import SplitColumns, StoredColumn
from workers.prediction import arrays, values
from workers.prediction.problems import RowProblems, TooManyProblems
from workers.prediction.required_columns import ColumnValues, RequiredColumn

NULLABLE_TYPES = frozenset({"number", "category", "text", "words", "series"})

JsonRows = Sequence[Mapping[str, Any]]

# Type of the stored column → its parser, which reports invalid values as problems and puts blanks in their place.
COLUMN_PARSERS: Mapping[ColumnType, Callable[[RequiredColumn, ColumnValues, RowProblems], StoredColumn]] = {
    "tensor": arrays.parse_tensors,
    "number": values.parse_numbers,
    "category": values.parse_strings,
    "text": values.parse_strings,
    "words": values.parse_word_lists,
    "series": arrays.parse_series,
    "tree": values.parse_trees,
    "image": arrays.parse_images,
}


def split_from_rows(rows: JsonRows, required: Sequence[RequiredColumn], known: Iterable[str]) -> SplitColumns:
    """Return the required columns of at least one row. `known` are the names of all columns of the data set.

    Raises `InvalidInput` with every problem, each with a pointer such as /rows/3/age.
    """
    problems = RowProblems()
    try:
        _check_names(rows, {each.name: _missing_hint(each) for each in required}, frozenset(known), problems)
    except TooManyProblems:
        problems.raise_if_any()
    return parse_columns({each.name: [row.get(each.name) for row in rows] for each in required}, required, problems)


def parse_columns(
    columns: Mapping[str, ColumnValues], required: Iterable[RequiredColumn], problems: RowProblems | None = None
) -> SplitColumns:
    """Return the required columns, from values by name.

    Raises `InvalidInput` with every problem, including the given ones.
    """
    problems = problems or RowProblems()
    split: SplitColumns = {}
    with suppress(TooManyProblems):
        split = {each.name: COLUMN_PARSERS[each.column.type](each, columns[each.name], problems) for each in required}
    problems.raise_if_any()
    return split


def _check_names(rows: JsonRows, required: Mapping[str, str], known: frozenset[str], problems: RowProblems) -> None:
    hints = Hints()
    for number, row in enumerate(rows):
        for name in sorted(row.keys() - known):
            hint = hints.did_you_mean(name, lambda: known) or "one of: " + ", ".join(sorted(known)[:20])
            problems.add(number, name, "unknown_column", "is not a column of the data set", hint)
        for name, hint in required.items():
            if name not in row:
                problems.add_missing(number, name, "missing_column", "is missing, and the network reads it", hint)


def _missing_hint(required: RequiredColumn) -> str:
    """Return how to add the column."""
    is_nullable = required.column.type in NULLABLE_TYPES and not required.is_required
    return "send null if its value is missing" if is_nullable else f"add its {required.column.type}"
