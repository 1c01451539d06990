"""Dates and times: parts of the calendar as numbers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypedDict, cast

import numpy as np
import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.data.encodings.datetime_feature import DatetimeFeature
from workers.data.columns import PreparedColumn, SplitColumns
from workers.data.features.preprocessor import Preprocessor, column_values

DAYS_PER_WEEK = 7
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0
Array = np.ndarray[Any, Any]

# Part that repeats → its number of steps. A month has 31 days here, so that a day of the month is one angle.
PERIODS: Mapping[str, float] = {"month": 12.0, "weekday": 7.0, "day": 31.0, "hour": 24.0, "minute": 60.0}


class DatetimeState(TypedDict):
    """The mean and the standard deviation of every part on the training rows, as JSON."""

    shift: list[float]
    factor: list[float]


@dataclass(frozen=True)
class DatetimePreprocessor(Preprocessor[DatetimeFeature, DatetimeState]):
    """Parts of a date side by side: angles as sine and cosine, other numbers standardised by the training rows.

    A missing date is 0 in every column, which is the mean of what is standardised and lies on no angle.
    """

    shift: Tensor  # float64 (columns): 0 of angles
    factor: Tensor  # float64 (columns): 1 of angles

    @classmethod
    def fit(cls, name: str, feature: DatetimeFeature, stored: DataSchema, split: SplitColumns) -> Self:
        """Fit mean and deviation of what is no angle. Raises `DataError`."""
        values = datetime_parts(_seconds(split, feature.column), feature.parts, feature.cyclic)
        is_angle = _angle_mask(feature.parts, feature.cyclic)
        shift = values.nanmean(0).nan_to_num(0.0)
        factor = (values - shift).square().nanmean(0).sqrt().nan_to_num(0.0)
        is_constant = factor <= 4 * torch.finfo(torch.float64).eps * shift.abs()  # but for rounding of the mean
        factor = torch.where(is_constant, torch.ones_like(factor), factor)  # a constant stays 0
        return cls(name, feature, shift.masked_fill(is_angle, 0.0), factor.masked_fill(is_angle, 1.0))

    @classmethod
    def load(cls, name: str, feature: DatetimeFeature, stored: DataSchema, state: DatetimeState) -> Self:
        """Return the preprocessor of a stored state."""
        shift, factor = (torch.tensor(numbers, dtype=torch.float64) for numbers in (state["shift"], state["factor"]))
        return cls(name, feature, shift, factor)

    def state(self) -> DatetimeState:
        """Return mean and deviation as JSON, exactly."""
        return {"shift": self.shift.tolist(), "factor": self.factor.tolist()}

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return float32 (rows, columns). Raises `DataError` for a missing date if `missing` is refuse."""
        seconds = _seconds(split, self.feature.column)
        missing = seconds.isnan()
        if self.feature.missing == "refuse" and missing.any():
            row = int(missing.nonzero()[0, 0])
            detail = f'"{self.feature.column}" is missing in row {row + 1}'
            raise DataError(detail, pointer="/data", hint='fill it, or give the feature "missing": "zero"')
        values = (datetime_parts(seconds, self.feature.parts, self.feature.cyclic) - self.shift) / self.factor
        return {self.name: values.nan_to_num(0.0).float()}


def datetime_parts(seconds: Tensor, parts: Sequence[str], cyclic: bool = True) -> Tensor:
    """Return parts of dates: float64 (rows, columns), NaN in every column where a date is missing.

    Parameters
    ----------
    seconds
        Seconds since 1970-01-01T00:00, float64 (rows), NaN for missing.
    parts
        year; month 1..12, weekday 0..6 from Monday, day 1..31, hour 0..23, minute 0..59; elapsed: the seconds
        themselves.
    cyclic
        Whether month, weekday, day, hour and minute are two columns each, sine and cosine of their angle, so that
        December is next to January.
    """
    columns = [column for part in parts for column in _columns(part, seconds, cyclic)]
    return torch.where(seconds.isnan().unsqueeze(1), torch.nan, torch.stack(columns, 1))


def _columns(part: str, seconds: Tensor, cyclic: bool) -> list[Tensor]:
    if part == "elapsed":
        return [seconds]
    whole = seconds.nan_to_num(0.0).floor().numpy().astype("datetime64[s]")
    values = torch.from_numpy(CALENDAR_PARTS[part](whole).astype(np.float64))
    if not cyclic or part not in PERIODS:
        return [values]
    angles = values * (2 * math.pi / PERIODS[part])
    return [angles.sin(), angles.cos()]


def _angle_mask(parts: Sequence[str], cyclic: bool) -> Tensor:
    """Return for every column whether it is the sine or cosine of an angle: bool (columns)."""
    return torch.tensor(
        [is_angle for part in parts for is_angle in (2 * [True] if cyclic and part in PERIODS else [False])]
    )


def _seconds(split: SplitColumns, name: str) -> Tensor:
    return cast(Tensor, column_values(split, name)).to(torch.float64)


def _month(dates: Array) -> Array:
    return dates.astype("datetime64[M]").astype(np.int64) % 12 + 1


def _day(dates: Array) -> Array:
    first: Array = dates.astype("datetime64[M]").astype("datetime64[D]")
    days: Array = (dates.astype("datetime64[D]") - first).astype(np.int64)
    return days + 1


# Part → integers of dates in datetime64[s].
CALENDAR_PARTS: Mapping[str, Callable[[Array], Array]] = {
    "year": lambda dates: dates.astype("datetime64[Y]").astype(np.int64) + 1970,
    "month": _month,
    "weekday": lambda dates: (dates.astype("datetime64[D]").astype(np.int64) + EPOCH_WEEKDAY) % DAYS_PER_WEEK,
    "day": _day,
    "hour": lambda dates: dates.astype(np.int64) // 3600 % 24,
    "minute": lambda dates: dates.astype(np.int64) // 60 % 60,
}
