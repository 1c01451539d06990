"""Windows over a time column: a table of rows in time becomes examples of the steps before and after a moment.

Every feature is prepared row by row, as in any table; an example then has the rows of its window, in order of time.
Inputs are the last `length` rows, targets the `horizon` rows behind them; inputs that are known beforehand have both.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from app.errors import Problem
from app.spec.base import Name, OneOrMany, Size, SpecModel
from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import Column, ColumnName, DataSchema
from app.spec.data.examples.row_values import row_value_problems
from app.spec.hints.names import did_you_mean

FUTURE_SUFFIX = "_future"
WINDOWED_KINDS = ("tensor", "numbers", "table", "datetime", "category", "class")  # with a row of one shape
TIME_TYPES, SERIES_TYPES = ("number", "datetime", "tensor"), ("category", "number", "text", "tensor")
MAX_WINDOW = 100_000


class Windows(SpecModel):
    """Series over a time column: the network reads the last rows of each, and predicts those that follow."""

    time: ColumnName = Field(description="A column of dates or numbers, by which the rows are ordered; no input then.")
    series: ColumnName | None = Field(
        None, description="A column whose values tell several series apart; no input then. Default: one series."
    )
    length: Annotated[Size, Field(le=MAX_WINDOW, description="Rows that an input has: the last ones.")]
    horizon: Annotated[Size, Field(le=MAX_WINDOW, description="Rows that a target has: those that follow.")] = 1
    stride: Annotated[Size, Field(description="Rows between the beginnings of one window and of the next.")] = 1
    known: Annotated[tuple[Name, ...], Field(max_length=256), OneOrMany()] = Field(
        (),
        description="Inputs that are known beforehand, such as holidays: the network reads `<name>_future` too, their "
        "rows of the horizon.",
    )
    gaps: Literal["refuse", "split", "ignore"] = Field(
        "refuse",
        description="Missing steps of time: an error with the rows; split: no window reaches over one; ignore: rows "
        "follow each other, whatever time lies between them.",
    )

    @property
    def columns(self) -> dict[str, str]:
        """The columns that say how rows are ordered, with the field that names each."""
        return {self.time: "time"} | ({self.series: "series"} if self.series is not None else {})

    def feature_names(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the columns of which windows are cut, without those of the horizon beside them."""
        future = {name + FUTURE_SUFFIX: name for name in self.known}
        return tuple(dict.fromkeys(future.get(name, name) for name in names))

    def input_columns(self, name: str, column: Column) -> list[Column]:
        """Return an input as the network reads it: (length, …), and (horizon, …) of one that is known."""
        past = column.model_copy(update={"shape": (self.length, *column.shape)})
        future = {"name": name + FUTURE_SUFFIX, "shape": (self.horizon, *column.shape)}
        return [past, column.model_copy(update=future)] if name in self.known else [past]

    def target_column(self, column: Column) -> Column:
        """Return a target as a loss reads it: (horizon, …), of a single number per row (horizon)."""
        shape = () if column.shape == (1,) else column.shape
        return column.model_copy(update={"shape": (self.horizon, *shape)})

    def problems(
        self, stored: DataSchema, features: Mapping[str, BaseFeature], inputs: Sequence[str], targets: Sequence[str]
    ) -> Iterator[Problem]:
        """Yield why there are no windows: columns that cannot order rows, features without a row of one shape."""
        yield from self._column_problems(stored)
        rows, needed = stored.rows.get("train", 0), self.length + self.horizon
        if rows < needed:
            detail = f"a window has {needed:,} rows (length and horizon), and the data has {rows:,}"
            yield Problem("/data/windows/length", "too_few_rows", detail, "make length or horizon smaller")
        for name in dict.fromkeys([*inputs, *targets]):
            feature = features.get(name)
            if feature is not None and feature.kind not in WINDOWED_KINDS:
                detail = f'"{name}" is a feature of kind {feature.kind}, of which rows have no window'
                hint = f'add its column to "ignore", or read it by one of: {", ".join(WINDOWED_KINDS)}'
                yield Problem("/data/windows", "no_windows", detail, hint)
        for position, name in enumerate(self.known):
            if name not in inputs:
                choices = list(inputs)
                hint = did_you_mean(name, choices) or f"one of: {', '.join(choices)}; or declare it in features"
                yield Problem(f"/data/windows/known/{position}", "unknown_column", f'"{name}" is no input', hint)

    def _column_problems(self, stored: DataSchema) -> Iterator[Problem]:
        for name, field in self.columns.items():
            types = TIME_TYPES if field == "time" else SERIES_TYPES
            values = "dates or numbers" if field == "time" else "one word or number per row"
            place, lack = f"/data/windows/{field}", "belong to no place in time"
            yield from row_value_problems(stored, name, place, types, values, lack)
        if self.series == self.time:
            yield Problem("/data/windows/series", "contradiction", "the time cannot tell series apart", "remove it")


def read_target_problems(windows: Windows | None, read: Sequence[str], targets: Sequence[str]) -> Iterator[Problem]:
    """Yield the targets that the network reads as they are: their rows of the horizon are what is to be predicted."""
    for name in read if windows is not None else ():
        if name in targets:
            detail = f'"{name}" is what follows the window, and the network is to predict it'
            feature = f'"{name[:55]}_past": {{"kind": "numbers", "columns": ["{name}"], "scale": "standard"}}'
            yield Problem("/model/inputs", "reads_target", detail, f"read its past by a feature: {feature}")
