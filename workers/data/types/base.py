"""What every column type can do."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from app.spec.data.columns import Column, ColumnType
from workers.data.columns import ParsedColumn
from workers.data.types.values import Values, compact_if_valid, count_missing, parse_json

Statistics = dict[str, Any]
LIST_MARKS = "|;,"
BAD_CELL_HINT = 'leave the cell empty if the value is missing, or register the data set with "on_bad": "missing"'


class ProblemSink(Protocol):
    """Takes problems of values, and knows where the rows come from."""

    def add_value(
        self, row: int, column: str, code: str, detail: str, hint: str = "", inner: Sequence[str | int] = ()
    ) -> None:
        """Add a problem of the value in `row` (from 0), or of the part of it at the path `inner`."""
        ...


@dataclass(frozen=True)
class ValueLimits:
    """What values in a request must keep to beyond their type, since a network was trained on others."""

    max_length: int | None = None  # time steps, or nodes of a tree; `None`: any
    is_required: bool = False  # whether no value may be missing


class BaseColumnType(ABC):
    """A column type: how its values are recognised, parsed and described."""

    families: ClassVar[frozenset[type]]  # of its values, see `workers.data.types.catalog.value_family`
    nullable: ClassVar[bool] = True  # whether a request may leave a value out

    @classmethod
    def infer(cls, values: Values, is_target: bool) -> bool:
        """Return whether values of the family are of this type."""
        return True

    @classmethod
    def decode(cls, text: str) -> object:
        """Return the value in a cell of text, None for a missing one; a cell that cannot be read, as it is."""
        return text.strip() or None

    @classmethod
    def draft(cls, name: str, kind: ColumnType, values: Values, cell_format: str | None = None) -> Column:
        """Return as much of a new column's description as `parse` reads: the shape or the format of most values.

        Raises `InvalidInput` for values that can be read in several ways.
        """
        return Column(name=name, type=kind, missing=count_missing(values))

    @classmethod
    @abstractmethod
    def parse(
        cls, values: Values, column: Column, problems: ProblemSink, limits: ValueLimits | None = None
    ) -> ParsedColumn:
        """Return the stored column. A value that is not of the type is a problem, and a placeholder takes its place."""

    @classmethod
    def describe(cls, column: Column, stored: Any) -> Column:
        """Return the drafted description, with labels and lengths. Raises `InvalidInput`."""
        return column

    @classmethod
    @abstractmethod
    def statistics(cls, stored: Any) -> Statistics | None:
        """Return statistics of the stored values, as JSON for people."""


class JsonColumnType(BaseColumnType):
    """A type whose values are JSON where cells are text."""

    @classmethod
    def decode(cls, text: str) -> object:
        """Return the JSON value in a cell, None for an empty one; a cell that is not JSON, as it is."""
        try:
            return compact_if_valid(parse_json(text)) if text.strip() else None
        except ValueError:
            return text


def split_list(text: str) -> list[str]:
    """Return the items of a list in a cell that is not JSON: between `|`, or else `;`, or else commas, or blanks."""
    mark = next((mark for mark in LIST_MARKS if mark in text), None)
    return [item for each in text.split(mark) if (item := each.strip())]
