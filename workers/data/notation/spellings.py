"""The spellings of numbers: which cells of a column have the same value, and what a label of it is called."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from app.spec.data.columns import MAX_LABELS

LEADING_ZERO = re.compile(r"^\s*[+-]?0\d+\s*$", re.MULTILINE | re.ASCII)
POINT_GROUPS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(?:\.\d{3})?\s*", re.ASCII)
MAX_SPELLINGS = MAX_LABELS  # different cells that are counted; a column of more has no labels
MAX_EXACT_INTEGER = 2**53
MAX_FLOAT_DIGITS = 300  # of a whole number that is surely within float64


class Spellings:
    """The different cells of a column of numbers with their counts, as long as they are few."""

    def __init__(self) -> None:
        self._counts: Counter[str] | None = Counter()

    def add(self, cells: Sequence[str]) -> None:
        """Count cells."""
        if self._counts is not None:
            self._counts.update(cells)
            if len(self._counts) > MAX_SPELLINGS:
                self._counts = None

    def counts(self) -> Mapping[str, int] | None:
        """Return how many rows each cell has, `None` if there are too many different ones."""
        return self._counts


def leading_zero(cells: Iterable[str]) -> str | None:
    """Return the first cell of digits alone that begins with a zero, such as `007`: a code rather than a number."""
    match = LEADING_ZERO.search("\n".join(cells))
    return match[0].strip() if match is not None else None


def inexact_integer(cells: Iterable[str]) -> str | None:
    """Return the first whole number of which float64 has not all digits: an identifier rather than a number."""
    for cell in cells:
        digits = cell.strip()
        if len(digits) > 15 and digits.lstrip("+-").isdecimal() and _loses_digits(digits):
            return digits
    return None


def may_group_by_points(cells: Iterable[str]) -> bool:
    """Return whether all cells have a point with three digits behind it, or are below 1000: thousands, perhaps."""
    return all(map(POINT_GROUPS.fullmatch, cells))


def _loses_digits(digits: str) -> bool:
    """Return whether float64 has not all digits of a whole number; of so long a one it never has."""
    return len(digits) > MAX_FLOAT_DIGITS or int(digits) != int(float(digits))
