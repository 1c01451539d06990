"""Problems of rows, each with its place in the document."""

from collections.abc import Iterable

from app.errors import InvalidInput, Problem
from app.spec.problems import json_pointer, limit_problems

MAX_ROW_PROBLEMS = 1000  # the search ends here; fewer are reported
MAX_SHOWN_CHARACTERS = 40  # of a value in a problem


class TooManyProblems(Exception):
    """There are `MAX_ROW_PROBLEMS`: the search ends."""


class RowProblems:
    """Every problem of some rows; those of one row stand together, in the order of rows."""

    def __init__(self) -> None:
        self._problems: list[tuple[int, Problem]] = []
        self._missing: set[tuple[int, str]] = set()

    def add_missing(self, row: int, column: str, code: str, detail: str, hint: str = "") -> None:
        """Add that a row has no value: later problems of the value are dropped. Raises `TooManyProblems`."""
        self.add(row, column, code, detail, hint)
        self._missing.add((row, column))

    def add(
        self, row: int, column: str, code: str, detail: str, hint: str = "", inner: Iterable[str | int] = ()
    ) -> None:
        """Add a problem of a value; `inner` leads to its place in the value. Raises `TooManyProblems`."""
        if (row, column) in self._missing:
            return
        pointer = json_pointer(("rows", row, column, *inner))
        self._problems.append((row, Problem(pointer, code, f'"{column}" {detail}', hint)))
        if len(self._problems) >= MAX_ROW_PROBLEMS:
            raise TooManyProblems

    def raise_if_any(self) -> None:
        """Raise `InvalidInput` if there is any problem."""
        if self._problems:
            problems = sorted(self._problems, key=lambda item: item[0])
            raise InvalidInput(limit_problems([problem for _, problem in problems]))


def format_value(value: object) -> str:
    """Return a value as it is shown in a problem."""
    if value is None:
        return "null"
    if isinstance(value, str):
        end = "…" if len(value) > MAX_SHOWN_CHARACTERS else ""
        return f'"{value[:MAX_SHOWN_CHARACTERS]}{end}"'
    if isinstance(value, list | tuple | dict):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    return str(value).lower() if isinstance(value, bool) else str(value)[:MAX_SHOWN_CHARACTERS]
