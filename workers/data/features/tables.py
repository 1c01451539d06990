"""Tables: numbers, categories and dates side by side, as one row of numbers per example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypedDict, cast

import torch
from torch import Tensor

from app.spec.data.columns import Column, DataSchema
from app.spec.data.encodings.datetime_feature import DatetimeFeature
from app.spec.data.encodings.table_feature import TableFeature
from workers.data.columns import PreparedColumn, SplitColumns
from workers.data.features.categories import as_strings
from workers.data.features.datetimes import DatetimePreprocessor, DatetimeState
from workers.data.features.numbers import fill_values, stack_columns
from workers.data.features.preprocessor import Preprocessor, column_schema, column_values
from workers.data.features.scaling import (
    BaseScaling,
    QuantileScaling,
    ScalingState,
    apply_scaling,
    check_logarithms,
    fit_scaling,
    load_scaling,
)


class TableState(TypedDict):
    """A fitted table as JSON."""

    fills: list[float]
    scaling: ScalingState | None
    quantiles: list[list[float]] | None
    dates: dict[str, DatetimeState]  # by column


@dataclass(frozen=True)
class TablePreprocessor(Preprocessor[TableFeature, TableState]):
    """Numbers are imputed and scaled in double precision and become float32 at the end; categories are one-hot."""

    columns_schema: Sequence[Column]
    fills: Tensor  # float64 (numbers)
    scaling: BaseScaling | None
    quantiles: QuantileScaling | None
    dates: Mapping[str, DatetimePreprocessor]  # by column

    @classmethod
    def fit(cls, name: str, feature: TableFeature, stored: DataSchema, split: SplitColumns) -> Self:
        """Fit what replaces missing numbers, and the scaling, on the training rows."""
        columns = [column_schema(stored, each) for each in feature.columns]
        raw = _stack_numbers(columns, split)
        check_logarithms(feature.scale, raw, number_names(columns))
        fills = fill_values(raw, feature.missing)
        values = torch.where(raw.isnan(), fills, raw)
        dates = {
            each.name: DatetimePreprocessor.fit(each.name, DatetimeFeature(column=each.name), stored, split)
            for each in columns
            if each.type == "datetime"
        }
        if not raw.shape[1]:
            return cls(name, feature, columns, fills, None, None, dates)
        if feature.scale == "quantile":
            return cls(name, feature, columns, fills, None, QuantileScaling.fit(values), dates)
        return cls(name, feature, columns, fills, fit_scaling(values, feature.scale, None), None, dates)

    @classmethod
    def load(cls, name: str, feature: TableFeature, stored: DataSchema, state: TableState) -> Self:
        """Return the preprocessor of a stored state."""
        quantiles = state["quantiles"]
        return cls(
            name,
            feature,
            [column_schema(stored, each) for each in feature.columns],
            torch.tensor(state["fills"], dtype=torch.float64),
            load_scaling(state["scaling"], torch.float64),
            None if quantiles is None else QuantileScaling(torch.tensor(quantiles, dtype=torch.float64)),
            {
                column: DatetimePreprocessor.load(column, DatetimeFeature(column=column), stored, fitted)
                for column, fitted in state["dates"].items()
            },
        )

    def state(self) -> TableState:
        """Return what was fitted as JSON, exactly."""
        return {
            "fills": self.fills.tolist(),
            "scaling": None if self.scaling is None else self.scaling.state(),
            "quantiles": None if self.quantiles is None else self.quantiles.values.tolist(),
            "dates": {column: each.state() for column, each in self.dates.items()},
        }

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return float32 (rows, k): the columns in order. A missing or an unknown label is all zeros."""
        raw = _stack_numbers(self.columns_schema, split)
        check_logarithms(self.feature.scale, raw, number_names(self.columns_schema))
        values = torch.where(raw.isnan(), self.fills, raw)
        values = self.quantiles(values) if self.quantiles is not None else apply_scaling(self.scaling, values)
        parts: list[Tensor] = []
        position = 0
        for column in self.columns_schema:
            if column.type == "category":
                parts.append(_one_hot(column, split))
                continue
            if column.type == "datetime":
                parts.append(cast(Tensor, self.dates[column.name].transform(split)[column.name]))
                continue
            parts.append(values[:, position : position + 1].float())
            if self.feature.has_indicator(column):
                parts.append(raw[:, position : position + 1].isnan().float())
            position += 1
        return {self.name: torch.cat(parts, 1)}


def number_names(columns: Sequence[Column]) -> list[str]:
    """Return the names of the columns of numbers."""
    return [each.name for each in columns if each.type == "number"]


def _stack_numbers(columns: Sequence[Column], split: SplitColumns) -> Tensor:
    """Return the number columns as float64 (rows, numbers), NaN where a number is missing."""
    if numbers := number_names(columns):
        return stack_columns(split, numbers)
    return torch.zeros(len(column_values(split, columns[0].name)), 0, dtype=torch.float64)


def _one_hot(column: Column, split: SplitColumns) -> Tensor:
    """Return float32 (rows, labels)."""
    labels = column.labels or ()
    codes = {label: code for code, label in enumerate(labels, start=1)}
    words = as_strings(column_values(split, column.name))
    rows = torch.tensor([codes.get(word, 0) if word is not None else 0 for word in words], dtype=torch.int64)
    return torch.nn.functional.one_hot(rows, len(labels) + 1)[:, 1:].float()
