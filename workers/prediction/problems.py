"""Problems of rows as they are found, each with its place in the document."""

from collections.abc import Iterable

from app.errors import InvalidInput, Problem
from app.spec.problems import json_pointer, limit_problems

MAX_ROW_PROBLEMS = 1000  # problems that are looked for: the first of them are told
MAX_SHOWN_CHARACTERS = 40  # characters of a value in a problem


class TooManyProblems(Exception):
    """There are so many problems that looking for more is in vain."""


class RowProblems:
    """Every problem of some rows; those of one row stand together, in the order of rows."""

    def __init__(self) -> None:
        self._found: list[tuple[int, Problem]] = []
        self._missing: set[tuple[int, str]] = set()

    def add_missing(self, row: int, column: str, code: str, detail: str, hint: str = "") -> None:
        """Take down that there is no value: nothing else is said about it. Raises `Enough`."""
        self.add(row, column, code, detail, hint)
        self._missing.add((row, column))

    def add(
        self, row: int, column: str, code: str, detail: str, hint: str = "", inner: Iterable[str | int] = ()
    ) -> None:
        """Take down a problem of a value. Raises `Enough`."""
        if (row, column) in self._missing:
            return
        place = json_pointer(("rows", row, column, *inner))
        self._found.append((row, Problem(place, code, f'"{column}" {detail}', hint)))
        if len(self._found) >= MAX_ROW_PROBLEMS:
            raise TooManyProblems

    def raise_if_any(self) -> None:
        """Raise `InvalidInput` if there is any."""
        if self._found:
            raise InvalidInput(
                limit_problems([problem for _, problem in sorted(self._found, key=lambda found: found[0])])
            )


def format_value(value: object) -> str:
    """Return a value as a problem tells it."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return (
            f'"{value[:MAX_SHOWN_CHARACTERS]}"'
            if len(value) <= MAX_SHOWN_CHARACTERS
            else f'"{value[:MAX_SHOWN_CHARACTERS]}…"'
        )
    if isinstance(value, list | tuple | dict):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    return str(value).lower() if isinstance(value, bool) else str(value)[:MAX_SHOWN_CHARACTERS]
