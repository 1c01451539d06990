"""The columns that the rows of a request must have."""

from dataclasses import dataclass

from app.spec.data.columns import Column
from workers.data.types.base import ValueLimits


@dataclass(frozen=True)
class RequiredColumn:
    """A stored column that rows must have, and how long its values may be."""

    column: Column
    max_length: int | None = None  # `None`: longer values are truncated, as in training
    is_required: bool = False  # whether no value may be missing
    any_size: bool = False  # of images in one array: whether those of requests may have another size

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name

    @property
    def limits(self) -> ValueLimits:
        """What its values must keep to."""
        return ValueLimits(self.max_length, self.is_required)
