"""Numbers: columns of a table side by side, and columns that are tensors already."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import Column, DataSchema
from workers.data.columns import PreparedColumn, SplitColumns


@dataclass(frozen=True)
class Scaling:
    """(x - shift) / factor, measured on the training rows alone; both broadcast over the rows."""

    shift: Tensor
    factor: Tensor

    @classmethod
    def fit(cls, values: Tensor, scale: str | None, peak: float | None) -> Self | None:
        """Return the scaling of rows (n, …); `None` leaves them as they are.

        `peak` is the largest value that the source's own type can hold: its presence marks images of bytes.
        """
        if scale == "unit" or (scale is None and peak is not None):
            largest = peak or float(values.abs().nan_to_num().max()) or 1.0
            return cls(torch.tensor(0.0), torch.tensor(largest))
        if scale == "standard":
            shift, deviation = values.mean(0), values.std(0, correction=0)
            factor = torch.where(deviation > 0, deviation, torch.ones_like(deviation))  # a constant stays 0
            return cls(shift, factor)
        return None

    @classmethod
    def load(cls, fitted: Any, dtype: torch.dtype = torch.float32) -> Self | None:
        """Take over what `fitted` returned."""
        if fitted is None:
            return None
        return cls(torch.tensor(fitted["shift"], dtype=dtype), torch.tensor(fitted["factor"], dtype=dtype))

    def fitted_state(self) -> dict[str, Any]:
        """Return the scaling as JSON, exactly."""
        return {"shift": self.shift.tolist(), "factor": self.factor.tolist()}

    def __call__(self, values: Tensor) -> Tensor:
        """Return the values, scaled."""
        return (values - self.shift) / self.factor

    def inverse_transform(self, values: Tensor) -> Tensor:
        """Return scaled values as they were before."""
        return values * self.factor + self.shift


def apply_scaling(scaling: Scaling | None, values: Tensor) -> Tensor:
    """Return the values, scaled if they are to be."""
    return values if scaling is None else scaling(values)


@dataclass(frozen=True)
class TensorPreprocessor:
    """A column that is a tensor already."""

    name: str
    column: Column
    scaling: Scaling | None

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: SplitColumns) -> Self:
        """Measure the scale, if one is wanted. Raises `DataError`."""
        plain = cls(name, column_schema(stored, part.column), None)
        values = plain._values(split)
        scaling = Scaling.fit(values, part.scale, plain.column.peak) if values.dtype == torch.float32 else None
        return cls(name, plain.column, scaling)

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over what `fitted` returned."""
        return cls(name, column_schema(stored, part.column), Scaling.load(fitted))

    def fitted_state(self) -> Any:
        """Return the scaling as JSON."""
        return self.scaling.fitted_state() if self.scaling is not None else None

    def apply(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the column, of the schema's dtype, scaled. Raises `DataError`."""
        return {self.name: apply_scaling(self.scaling, self._values(split))}

    def _values(self, split: SplitColumns) -> Tensor:
        column, values = self.column, column_values(split, self.column.name)
        if not isinstance(values, Tensor) or tuple(values.shape[1:]) != tuple(column.shape):
            found = list(values.shape[1:]) if isinstance(values, Tensor) else "another type"
            detail = f'column "{column.name}" has shape {found} per example, the schema says {list(column.shape)}'
            raise DataError(detail, pointer="/data")
        return values.to(getattr(torch, column.dtype))


@dataclass(frozen=True)
class NumbersPreprocessor:
    """Numbers side by side, with something in the place of those that are missing (which are NaN when stored).

    They become float32 at the very end: moments in time, say, differ only where float32 no longer tells.
    """

    name: str
    columns: tuple[str, ...]
    fill_values: Tensor | None  # (columns); `None`: a missing number is an error
    indicators: bool
    scaling: Scaling | None

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: SplitColumns) -> Self:
        """Measure what stands for missing numbers, and the scale. Raises `DataError`."""
        raw = _stack_columns(split, part.columns)
        fills = _fill_values(raw, part.missing)
        plain = cls(name, part.columns, fills, part.indicators, None)
        return cls(name, part.columns, fills, part.indicators, Scaling.fit(plain._impute(raw), part.scale, None))

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over what `fitted` returned."""
        fills = None if fitted["fills"] is None else torch.tensor(fitted["fills"], dtype=torch.float64)
        scaling = Scaling.load(fitted["scaling"], torch.float64)
        return cls(name, part.columns, fills, part.indicators, scaling)

    def fitted_state(self) -> Any:
        """Return the fills and the scaling as JSON."""
        return {
            "fills": None if self.fill_values is None else self.fill_values.tolist(),
            "scaling": None if self.scaling is None else self.scaling.fitted_state(),
        }

    def apply(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return float32 (rows, columns), and behind them a 0 or 1 for each, if asked for. Raises `DataError`."""
        raw = _stack_columns(split, self.columns)
        values = apply_scaling(self.scaling, self._impute(raw)).float()
        return {self.name: torch.cat([values, raw.isnan().float()], 1) if self.indicators else values}

    def _impute(self, raw: Tensor) -> Tensor:
        missing = raw.isnan()
        if self.fill_values is not None:
            return torch.where(missing, self.fill_values, raw)
        if missing.any():
            row, place = missing.nonzero()[0].tolist()
            detail = f'"{self.columns[place]}" is missing in row {row + 1}'
            raise DataError(
                detail, pointer="/data", hint='fill it, or make it a feature numbers with "missing": "mean"'
            )
        return raw


def column_schema(stored: DataSchema, name: str) -> Column:
    """Return a stored column's description. Raises `DataError`."""
    column = stored.column(name)
    if column is None:
        raise DataError(f'the data has no column "{name}"', pointer="/data")
    return column


def column_values(split: SplitColumns, name: str) -> Any:
    """Return a stored column. Raises `DataError`."""
    if name not in split:
        raise DataError(f'the data has no column "{name}"', pointer="/data")
    return split[name]


def _stack_columns(split: SplitColumns, names: Sequence[str]) -> Tensor:
    """Return float64 (rows, columns) of number columns, each (rows)."""
    return torch.stack([cast(Tensor, column_values(split, name)).to(torch.float64) for name in names], 1)


def _fill_values(raw: Tensor, missing: str) -> Tensor | None:
    if missing == "refuse":
        return None
    if missing == "zero":
        return torch.zeros(raw.shape[1], dtype=torch.float64)
    middle = raw.nanmean(0) if missing == "mean" else raw.nanmedian(0).values
    return middle.nan_to_num(0.0)  # a column without any number
