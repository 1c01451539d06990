"""Rows, as somebody sends them, become columns of the data set."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from app.spec.data.columns import Type
from app.spec.problems import Hints
from workers.data.columns import Split, Stored
from workers.prediction import arrays, values
from workers.prediction.columns import Values, Wanted
from workers.prediction.problems import Enough, Findings

MAY_MISS = frozenset({"number", "category", "text", "words", "series"})

Rows = Sequence[Mapping[str, Any]]

# Type of the stored column → what makes it of the rows' values; what is wrong is a finding, and a blank stands there.
COLUMNS: Mapping[Type, Callable[[Wanted, Values, Findings], Stored]] = {
    "tensor": arrays.tensors,
    "number": values.numbers,
    "category": values.words,
    "text": values.words,
    "words": values.lists,
    "series": arrays.series,
    "tree": values.trees,
    "image": arrays.images,
}


def split_of(rows: Rows, wanted: Sequence[Wanted], known: Iterable[str]) -> Split:
    """Return the wanted columns of some rows, of which there is at least one. `known` are all that the data set has.

    Raises `InvalidInput` with every problem found, each with a pointer such as /rows/3/age.
    """
    found = Findings()
    try:
        _check_names(rows, {each.name: _hint(each) for each in wanted}, frozenset(known), found)
    except Enough:
        found.end()
    return stored({each.name: [row.get(each.name) for row in rows] for each in wanted}, wanted, found)


def stored(given: Mapping[str, Values], wanted: Iterable[Wanted], found: Findings | None = None) -> Split:
    """Return columns of values, by name. Raises `InvalidInput` with every problem, those found before too."""
    found = found or Findings()
    split: Split = {}
    with suppress(Enough):
        split = {each.name: COLUMNS[each.column.type](each, given[each.name], found) for each in wanted}
    found.end()
    return split


def _check_names(rows: Rows, wanted: Mapping[str, str], known: frozenset[str], found: Findings) -> None:
    hints = Hints()
    for number, row in enumerate(rows):
        for name in sorted(row.keys() - known):
            hint = hints.nearest(name, lambda: known) or "there are: " + ", ".join(sorted(known)[:20])
            found.add(number, name, "unknown_column", "is no column of the data set", hint)
        for name, hint in wanted.items():
            if name not in row:
                found.absent(number, name, "missing_column", "is a column that the network reads", hint)


def _hint(wanted: Wanted) -> str:
    """Return how to write what is not there."""
    may_miss = wanted.column.type in MAY_MISS and not wanted.needed
    return "null says that a value is missing" if may_miss else f"give its {wanted.column.type}"
