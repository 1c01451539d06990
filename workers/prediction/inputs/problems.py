"""Problems of the rows of a request, each with its place in the document."""

from collections.abc import Sequence

from app.errors import InvalidInput, Problem
from app.spec.problems import json_pointer, limit_problems

MAX_ROW_PROBLEMS = 1000  # problems that are collected: the first 100 of them are reported

# Code of a problem of a value (see `workers.data.types`) → what it is called in a request.
REQUEST_CODES = {"not_a_number": "wrong_type", "not_a_tree": "wrong_type"}


class TooManyProblems(Exception):
    """There are so many problems that more are not collected."""


class RowProblems:
    """Every problem of the rows of a request, at most one for each place, in the order of rows."""

    def __init__(self) -> None:
        self._problems: dict[str, tuple[int, Problem]] = {}  # by pointer

    def add_value(
        self, row: int, column: str, code: str, detail: str, hint: str = "", inner: Sequence[str | int] = ()
    ) -> None:
        """Add a problem of a value, or of the part of it at the path `inner`. Raises `TooManyProblems`."""
        pointer = json_pointer(("rows", row, column, *inner))
        problem = Problem(pointer, REQUEST_CODES.get(code, code), f'"{column}": {detail}', hint)
        self._problems.setdefault(pointer, (row, problem))
        if len(self._problems) >= MAX_ROW_PROBLEMS:
            raise TooManyProblems

    def raise_if_any(self) -> None:
        """Raise `InvalidInput` with the first problems, if there are any."""
        if self._problems:
            ordered = sorted(self._problems.values(), key=lambda each: each[0])
            raise InvalidInput(limit_problems([problem for _, problem in ordered]))
