"""Rows, as somebody sends them, become columns of the data set."""

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

# Type of the stored column → what makes it of the rows' values; what is wrong is a finding, and a blank stands there.
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


def split_from_rows(rows: JsonRows, wanted: Sequence[RequiredColumn], known: Iterable[str]) -> SplitColumns:
    """Return the wanted columns of some rows, of which there is at least one. `known` are all that the data set has.

    Raises `InvalidInput` with every problem found, each with a pointer such as /rows/3/age.
    """
    found = RowProblems()
    try:
        _check_names(rows, {each.name: _missing_hint(each) for each in wanted}, frozenset(known), found)
    except TooManyProblems:
        found.raise_if_any()
    return parse_columns({each.name: [row.get(each.name) for row in rows] for each in wanted}, wanted, found)


def parse_columns(
    given: Mapping[str, ColumnValues], wanted: Iterable[RequiredColumn], found: RowProblems | None = None
) -> SplitColumns:
    """Return columns of values, by name. Raises `InvalidInput` with every problem, those found before too."""
    found = found or RowProblems()
    split: SplitColumns = {}
    with suppress(TooManyProblems):
        split = {each.name: COLUMN_PARSERS[each.column.type](each, given[each.name], found) for each in wanted}
    found.raise_if_any()
    return split


def _check_names(rows: JsonRows, wanted: Mapping[str, str], known: frozenset[str], found: RowProblems) -> None:
    hints = Hints()
    for number, row in enumerate(rows):
        for name in sorted(row.keys() - known):
            hint = hints.did_you_mean(name, lambda: known) or "there are: " + ", ".join(sorted(known)[:20])
            found.add(number, name, "unknown_column", "is no column of the data set", hint)
        for name, hint in wanted.items():
            if name not in row:
                found.add_missing(number, name, "missing_column", "is a column that the network reads", hint)


def _missing_hint(wanted: RequiredColumn) -> str:
    """Return how to write what is not there."""
    may_miss = wanted.column.type in NULLABLE_TYPES and not wanted.is_required
    return "null says that a value is missing" if may_miss else f"give its {wanted.column.type}"
