"""Numbers: columns of a table side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypedDict, cast

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.data.features import NumbersFeature
from workers.data.columns import PreparedColumn, SplitColumns
from workers.data.features.preprocessor import Preprocessor, column_values
from workers.data.features.scaling import (
    BaseScaling,
    ScalingState,
    apply_scaling,
    check_logarithms,
    fit_scaling,
    load_scaling,
)


class NumbersState(TypedDict):
    """Fitted numbers as JSON."""

    fills: list[float] | None
    scaling: ScalingState | None


@dataclass(frozen=True)
class NumbersPreprocessor(Preprocessor[NumbersFeature, NumbersState]):
    """Numbers side by side; missing ones, which are stored as NaN, are imputed.

    They become float32 at the very end: timestamps, for example, differ in digits that float32 does not have.
    """

    fill_values: Tensor | None  # float64 (columns); `None`: a missing number is an error
    scaling: BaseScaling | None

    @classmethod
    def fit(cls, name: str, feature: NumbersFeature, stored: DataSchema, split: SplitColumns) -> Self:
        """Fit the values that replace missing numbers, and the scaling. Raises `DataError`."""
        raw = stack_columns(split, feature.columns)
        fills = None if feature.missing == "refuse" else fill_values(raw, feature.missing)
        unscaled = cls(name, feature, fills, None)
        return cls(name, feature, fills, fit_scaling(unscaled._impute(raw), feature.scale, None))

    @classmethod
    def load(cls, name: str, feature: NumbersFeature, stored: DataSchema, state: NumbersState) -> Self:
        """Return the preprocessor of a stored state."""
        fills = None if state["fills"] is None else torch.tensor(state["fills"], dtype=torch.float64)
        return cls(name, feature, fills, load_scaling(state["scaling"], torch.float64))

    def state(self) -> NumbersState:
        """Return the fills and the scaling as JSON, exactly."""
        return {
            "fills": None if self.fill_values is None else self.fill_values.tolist(),
            "scaling": None if self.scaling is None else self.scaling.state(),
        }

    @property
    def target_scaling(self) -> BaseScaling | None:
        """The scaling to undo in predictions; `None` with indicators, which double the width."""
        return None if self.feature.indicators else self.scaling

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return float32 (rows, columns), with indicators (rows, 2 * columns).

        Raises `DataError` for a missing number if `missing` is refuse.
        """
        raw = stack_columns(split, self.feature.columns)
        values = apply_scaling(self.scaling, self._impute(raw)).float()
        return {self.name: torch.cat([values, raw.isnan().float()], 1) if self.feature.indicators else values}

    def _impute(self, raw: Tensor) -> Tensor:
        check_logarithms(self.feature.scale, raw, self.feature.columns)
        missing = raw.isnan()
        if self.fill_values is not None:
            return torch.where(missing, self.fill_values, raw)
        if missing.any():
            row, position = missing.nonzero()[0].tolist()
            detail = f'"{self.feature.columns[position]}" is missing in row {row + 1}'
            hint = 'fill it, or declare a feature of kind numbers with "missing": "mean"'
            raise DataError(detail, pointer="/data", hint=hint)
        return raw


def stack_columns(split: SplitColumns, names: Sequence[str]) -> Tensor:
    """Return float64 (rows, columns) of number columns, each (rows)."""
    return torch.stack([cast(Tensor, column_values(split, name)).to(torch.float64) for name in names], 1)


def fill_values(raw: Tensor, missing: str) -> Tensor:
    """Return what replaces missing numbers of raw (rows, columns), float64 (columns): mean, median or zero."""
    if missing == "zero" or not raw.numel():
        return torch.zeros(raw.shape[1], dtype=torch.float64)
    middle = raw.nanmean(0) if missing == "mean" else raw.nanmedian(0).values
    return middle.nan_to_num(0.0)  # a column without any number
