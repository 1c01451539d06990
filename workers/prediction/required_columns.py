"""The columns that rows must have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.spec.data.columns import Column

ColumnValues = Sequence[Any]  # of one column, one for each row, as sent


@dataclass(frozen=True)
class RequiredColumn:
    """A stored column that rows must have, and how long its values may be."""

    column: Column
    max_length: int | None = None  # `None`: longer values are truncated, as in training
    is_required: bool = False  # no value may be null

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name
