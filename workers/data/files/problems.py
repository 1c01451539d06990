"""Problems of a file as they are found, and where its rows stand."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from app.errors import InvalidInput, Problem
from app.spec.problems import json_pointer

MAX_PROBLEMS = 20  # told at once
MAX_SHOWN_CHARACTERS = 40  # characters of a value in a problem


class ProblemCollector:
    """All problems at once, up to twenty: then reading ends."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, problem: Problem) -> None:
        """Take down a problem. Raises `InvalidInput` if it is the last one that is told."""
        self._found.append(problem)
        if len(self._found) == MAX_PROBLEMS:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raise `InvalidInput` if there is any."""
        if self._found:
            raise InvalidInput(self._found)


@dataclass
class RowLocations:
    """Where rows stand: those of several files one behind the other, each with its number in its file."""

    unit: str = "line"  # of a file that has no lines: "row"
    _names: list[str] = field(default_factory=list)
    _numbers: list["array[int]"] = field(default_factory=list)

    def start_file(self, name: str) -> None:
        """Go on with a file; it has no name where it is the only one."""
        self._names.append(name)
        self._numbers.append(array("Q"))

    def add(self, numbers: Iterable[int]) -> None:
        """Take down the lines of some more rows."""
        self._numbers[-1].extend(numbers)

    def __len__(self) -> int:
        return sum(map(len, self._numbers))

    @property
    def row_counts(self) -> Sequence[int]:
        """The number of rows of every file."""
        return [len(numbers) for numbers in self._numbers]

    def problem_at(self, row: int, column: str, code: str, detail: str, hint: str = "") -> Problem:
        """Return a problem of a value."""
        for name, numbers in zip(self._names, self._numbers, strict=True):
            if row < len(numbers):
                return line_problem(name, numbers[row], code, f'column "{column}": {detail}', hint, self.unit)
            row -= len(numbers)
        raise IndexError(row)


def line_problem(name: str, number: int, code: str, detail: str, hint: str = "", unit: str = "line") -> Problem:
    """Return a problem of a line of a file; the name is empty where there is only one."""
    place = json_pointer([name, number] if name else [number])
    joint = ", " if detail.startswith("column") else " " if detail.startswith("has") else ": "
    return Problem(place, code, f"{f'{name}, ' if name else ''}{unit} {number}{joint}{detail}", hint)


def refuse(code: str, detail: str, hint: str = "", place: str = "") -> NoReturn:
    """Raise `InvalidInput` with one problem of the whole, or of a named part."""
    raise InvalidInput([Problem(json_pointer([place]) if place else "", code, detail, hint)])


def abbreviate(value: object) -> str:
    """Return the beginning of a value, as it is shown in a problem."""
    text = str(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"
