"""The feature of dates."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app.spec.data.base_feature import ColumnFeature
from app.spec.data.columns import Column, ColumnType, DataSchema

DatetimePart = Literal["year", "month", "weekday", "day", "hour", "minute", "elapsed"]
CYCLIC_PARTS = frozenset({"month", "weekday", "day", "hour", "minute"})


class DatetimeFeature(ColumnFeature):
    """A column of dates, as parts of the calendar side by side: float32 (k)."""

    column_types: ClassVar[tuple[ColumnType, ...]] = ("datetime",)
    input_types: ClassVar[tuple[ColumnType, ...]] = ("datetime",)

    kind: Literal["datetime"] = "datetime"
    parts: Annotated[tuple[DatetimePart, ...], Field(min_length=1, max_length=7)] = Field(
        ("year", "month", "weekday", "day", "hour", "elapsed"),
        description="What is read of each date; weekdays count from Monday. elapsed: the seconds since 1970.",
    )
    cyclic: bool = Field(
        True,
        description="Month, weekday, day, hour and minute as sine and cosine, so that December is next to January; "
        "false: as numbers. What is no angle is standardised by the rows of train.",
    )
    missing: Literal["zero", "refuse"] = Field(
        "zero", description="A missing date: 0 in every part, which is the mean of train; refuse: an error."
    )

    @property
    def requires_values(self) -> bool:
        """Whether a missing value is an error."""
        return self.missing == "refuse"

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return the parts, float32 (k): two columns of each angle, one of any other."""
        return [Column(name=name, shape=(self.width,), dtype="float32")]

    @property
    def width(self) -> int:
        """The number of columns."""
        return sum(2 if self.cyclic and part in CYCLIC_PARTS else 1 for part in self.parts)
