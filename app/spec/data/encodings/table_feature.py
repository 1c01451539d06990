"""The default feature of tables: columns of several types side by side, as one row of numbers per example."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app.errors import Problem
from app.spec.data.base_feature import BaseFeature, FeatureContext, Scale, log_problems
from app.spec.data.columns import Column, ColumnName, ColumnType, DataSchema
from app.spec.data.encodings.datetime_feature import DatetimeFeature

MAX_TABLE_WIDTH = 65_536  # numbers per example


class TableFeature(BaseFeature):
    """Columns of a table side by side: float32 (k).

    A column of n labels takes n places, one of which is 1; a date those of its parts by default, see kind `datetime`.
    """

    column_types: ClassVar[tuple[ColumnType, ...]] = ("number", "category", "datetime")

    kind: Literal["table"] = "table"
    columns: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=10_000)]
    scale: Scale | None = Field(
        None,
        description=(
            "Scaling of numbers, fitted on train. standard: zero mean and unit variance; log: log(1 + x), then "
            "standard; min_max: to 0..1; robust: the median and the range between the quartiles; quantile: by rank to "
            "the standard normal distribution, whose tails end at 3.1 deviations, for numbers with long tails; "
            "quantile_uniform: by rank to 0..1; unit: divided by the largest value; none. Default: that of all data, "
            "else standard."
        ),
    )
    missing: Literal["mean", "median", "zero"] = Field(
        "mean", description="What replaces a missing number: the mean or the median of train, or zero."
    )
    indicators: bool = Field(
        True, description="Append to each number with missing values in the data a 0 or 1: whether it is missing."
    )

    @classmethod
    def as_input(cls, column: Column) -> "TableFeature | None":
        """Return a number by itself."""
        return cls(columns=(column.name,)) if column.type == "number" else None

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The stored columns that it reads."""
        return self.columns

    def source_pointer(self, position: int) -> str:
        """Return where the feature names its source column at `position`."""
        return f"/columns/{position}"

    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return one row of numbers, float32 (k)."""
        return [Column(name=name, shape=(self.width(stored),), dtype="float32")]

    def width(self, stored: DataSchema) -> int:
        """Return how many numbers an example has."""
        return sum(self.column_width(stored[name]) for name in self.columns)

    def column_width(self, column: Column) -> int:
        """Return how many places a stored column takes."""
        if column.type == "category":
            return len(column.labels or ())
        if column.type == "datetime":
            return DatetimeFeature(column=column.name).width
        return 1 + self.has_indicator(column)

    def has_indicator(self, column: Column) -> bool:
        """Return whether a number is followed by a 0 or 1 for its absence."""
        return self.indicators and column.missing > 0

    def resolve(self, name: str, context: FeatureContext) -> "TableFeature":
        """Return the table with its scale: its own, that of all data, else standard."""
        return self if self.scale is not None else self.model_copy(update={"scale": context.data.scale or "standard"})

    def problems(self, name: str, context: FeatureContext) -> Iterator[Problem]:
        """Yield whether the row is empty or too wide, and numbers without a logarithm."""
        if not all(context.stored.column(each) for each in self.columns):
            return
        numbers = [each for each in self.columns if context.stored[each].type == "number"]
        yield from log_problems(name, self.scale, numbers, context)
        width = self.width(context.stored)
        if width > MAX_TABLE_WIDTH:
            detail = f'"{name}" would have {width:,} numbers for each example, at most {MAX_TABLE_WIDTH:,} are allowed'
            hint = "read columns of many labels by a feature of kind category, with an Embedding"
            yield Problem(context.pointer(name, "/columns"), "too_wide", detail, hint)
        elif width == 0:
            detail = f'the columns of "{name}" have no values'
            yield Problem(context.pointer(name, "/columns"), "no_values", detail, "read other columns")
