"""Problems of files, and where the rows of a table stand in them."""

from array import array
from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass, field
from typing import NoReturn

from app.errors import InvalidInput, Problem
from app.spec.problems import json_pointer

MAX_PROBLEMS = 20  # reported at once
MAX_SHOWN_CHARACTERS = 40  # characters of a value in a problem

# Code of a problem of a value (see `workers.data.types`) → what it is called in a file.
FILE_CODES = {"wrong_shape": "shape_mismatch"}


class ProblemCollector:
    """All problems of a file at once, up to twenty: reading ends there."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def add(self, problem: Problem) -> None:
        """Add a problem. Raises `InvalidInput` if it is the twentieth."""
        self._problems.append(problem)
        if len(self._problems) == MAX_PROBLEMS:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raise `InvalidInput` if there is any problem."""
        if self._problems:
            raise InvalidInput(self._problems)


class WarningCollector:
    """What reading a file left out, guessed or converted: each warning once, in the order of appearance."""

    def __init__(self) -> None:
        self._warnings: dict[tuple[str, str, str], Problem] = {}

    def add(self, pointer: str, code: str, detail: str, hint: str = "") -> None:
        """Add a warning; the hint says how to silence it."""
        self._warnings.setdefault((pointer, code, detail), Problem(pointer, code, detail, hint))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """All warnings."""
        return tuple(self._warnings.values())


@dataclass
class RowLocations:
    """Where rows stand: those of several files one after the other, each with its line (or row) in its file."""

    unit: str = "line"  # "row" in files without lines
    _names: list[str] = field(default_factory=list)
    _numbers: list["array[int]"] = field(default_factory=list)

    def start_file(self, name: str) -> None:
        """Continue with a file; `name` is empty if it is the only one."""
        self._names.append(name)
        self._numbers.append(array("Q"))

    def add(self, numbers: Iterable[int]) -> None:
        """Add rows of the current file by their line numbers."""
        self._numbers[-1].extend(numbers)

    def __len__(self) -> int:
        return sum(map(len, self._numbers))

    @property
    def row_counts(self) -> Sequence[int]:
        """The number of rows of every file."""
        return [len(numbers) for numbers in self._numbers]

    def number_of(self, row: int) -> int:
        """Return the number of the line at which a row stands. `row` counts from 0 over all files."""
        for numbers in self._numbers:
            if row < len(numbers):
                return numbers[row]
            row -= len(numbers)
        raise IndexError(row)

    def problem_at(self, row: int, column: str, code: str, detail: str, hint: str = "") -> Problem:
        """Return a problem of a value. `row` counts from 0 over all files."""
        for name, numbers in zip(self._names, self._numbers, strict=True):
            if row < len(numbers):
                return line_problem(name, numbers[row], code, f'column "{column}": {detail}', hint, self.unit)
            row -= len(numbers)
        raise IndexError(row)


class ValueProblems(ProblemCollector):
    """Problems of the values of a table, each with its file, line and column."""

    def __init__(self, locations: RowLocations) -> None:
        super().__init__()
        self._locations = locations

    def add_value(
        self, row: int, column: str, code: str, detail: str, hint: str = "", inner: Sequence[str | int] = ()
    ) -> None:
        """Add a problem of a value, or of the part of it at the path `inner`. Raises `InvalidInput`, see `add`."""
        where = f" (at {json_pointer(inner)})" if inner else ""
        self.add(self._locations.problem_at(row, column, FILE_CODES.get(code, code), detail + where, hint))


def line_problem(name: str, number: int, code: str, detail: str, hint: str = "", unit: str = "line") -> Problem:
    """Return a problem of a line of a file; `name` is empty if there is only one file."""
    pointer = json_pointer([name, number] if name else [number])
    joint = ", " if detail.startswith("column") else " " if detail.startswith("has") else ": "
    return Problem(pointer, code, f"{f'{name}, ' if name else ''}{unit} {number}{joint}{detail}", hint)


def refuse(code: str, detail: str, hint: str = "", place: str = "") -> NoReturn:
    """Raise `InvalidInput` with one problem of the whole file, or of the part named `place`."""
    raise InvalidInput([Problem(json_pointer([place]) if place else "", code, detail, hint)])


def format_count(count: int, noun: str) -> str:
    """Return a number of things, such as "1 row" or "2,000 rows"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def abbreviate(value: object) -> str:
    """Return at most the first 40 characters of a value, for a problem."""
    text = str(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"


def format_value(value: object) -> str:
    """Return a value of JSON as a problem names it: text in quotes, lists by their length."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return f'"{abbreviate(value)}"'
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, Sized) and not isinstance(value, bytes):
        return f"a list of {len(value):,}"
    return str(value).lower() if isinstance(value, bool) else str(value)[:MAX_SHOWN_CHARACTERS]
