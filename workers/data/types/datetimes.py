"""Dates, with or without times, which may be missing."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.spec.data.columns import Column, ColumnType
from workers.data.files.problems import format_value, refuse
from workers.data.notation.datetime_formats import (
    EPOCH_FORMATS,
    ISO_FORMAT,
    MAX_SECONDS,
    MIN_SECONDS,
    NUMERIC_FORMATS,
    DatetimeNotation,
    MixedTimeZones,
    detect_datetimes,
    format_datetime,
    parse_datetime,
)
from workers.data.notation.number_formats import AmbiguousNotation, refuse_ambiguous
from workers.data.types.base import BAD_CELL_HINT, BaseColumnType, ProblemSink, Statistics, ValueLimits
from workers.data.types.statistics import histogram
from workers.data.types.values import MISSING_VALUES, Values, count_cells, count_missing, max_bad_share

UTC = "UTC"
EPOCH_SECONDS = "epoch s"


class DatetimeType(BaseColumnType):
    """float64 (N): seconds since 1970 in UTC, or of the local time if no zone is known; NaN where a date is missing."""

    families = frozenset({str})

    @classmethod
    def infer(cls, values: Values, is_target: bool) -> bool:
        """Return whether texts are dates; `draft` says whether it is clear which ones."""
        cells = count_cells(values)
        try:
            return detect_datetimes(cells, max_bad_share(cells)) is not None
        except (AmbiguousNotation, MixedTimeZones):
            return True

    @classmethod
    def draft(cls, name: str, kind: ColumnType, values: Values, cell_format: str | None = None) -> Column:
        """Return the format that all texts have. Raises `InvalidInput` if that is ambiguous."""
        column = Column(name=name, type=kind, missing=count_missing(values), format=cell_format)
        if cell_format in EPOCH_FORMATS:
            return column.model_copy(update={"unit": UTC})
        notation = _detect(name, values, cell_format)
        if notation is not None:
            return column.model_copy(update={"format": notation.format, "unit": UTC if notation.has_zone else None})
        return column

    @classmethod
    def parse(cls, values: Values, column: Column, problems: ProblemSink, limits: ValueLimits | None = None) -> Tensor:
        """Return float64 (N). In a request, a date may always be ISO 8601."""
        if isinstance(values, np.ndarray):
            dates = values.astype(np.float64, copy=False) / EPOCH_FORMATS.get(column.format or "", 1.0)
            for row in np.flatnonzero((dates < MIN_SECONDS) | (dates > MAX_SECONDS)).tolist():
                detail = f"{dates[row]:g} seconds since 1970 are in no year from 1 to 9999"
                problems.add_value(row, column.name, "not_a_date", detail, BAD_CELL_HINT)
            return torch.from_numpy(dates)
        parsed: dict[object, float] = {}
        rows = [_seconds(row, value, column, parsed, problems) for row, value in enumerate(values)]
        seconds = torch.tensor(rows, dtype=torch.float64)
        for row in () if limits is None or not limits.is_required else seconds.isnan().nonzero().flatten().tolist():
            hint = "the network was trained on rows without missing values"
            problems.add_value(row, column.name, "missing_value", "the date is missing", hint)
        return seconds

    @classmethod
    def describe(cls, column: Column, stored: Tensor) -> Column:
        """Count what is missing."""
        return column.model_copy(update={"missing": int(stored.isnan().sum())})

    @classmethod
    def statistics(cls, stored: Tensor) -> Statistics | None:
        """Return the first and the last date, and the histogram between them."""
        there = stored[~stored.isnan()]
        if not len(there):
            return None
        least, most = float(there.min()), float(there.max())
        return {"min": format_datetime(least), "max": format_datetime(most)} | histogram(there, least, most)


def check_written_dates(name: str, values: Values, cell_format: str | None) -> None:
    """Raise `InvalidInput` for numbers that the user calls dates, without the format that says what they count."""
    numbers = isinstance(values, np.ndarray) or any(
        isinstance(value, int | float) or (isinstance(value, str) and value.isdecimal()) for value in values
    )
    if numbers and cell_format is None:
        hint = f'say what they count: "formats": {{"{name}": "epoch s"}}, or "epoch ms", "epoch us", "epoch ns"'
        refuse("unknown_format", f'column "{name}": numbers are no dates by themselves', hint, name)


def _detect(name: str, values: Values, cell_format: str | None) -> DatetimeNotation | None:
    cells = count_cells(values)
    try:
        return detect_datetimes(cells, max_bad_share(cells), cell_format)
    except AmbiguousNotation as error:
        refuse_ambiguous(name, error)
    except MixedTimeZones as error:
        detail = f'column "{name}": "{error.zoned}" has a time zone, and "{error.local}" has none'
        refuse("mixed_time_zones", detail, 'write all of them with a zone, or give the column the type "text"', name)


def _seconds(row: int, value: object, column: Column, parsed: dict[Any, float], problems: ProblemSink) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = parse_datetime(str(value), column.format if column.format in NUMERIC_FORMATS else EPOCH_SECONDS)
        if found is not None or value != value:  # noqa: PLR0124 - NaN
            return float("nan") if found is None else found[0]
    if isinstance(value, str):
        if value in parsed:
            return parsed[value]
        seconds = _parse(value, column)
        if seconds is not None:
            parsed[value] = seconds
            return seconds
    written = f"{column.format or ISO_FORMAT}{' with a time zone' if column.unit == UTC else ' without a time zone'}"
    detail = f"expected a date written as {written}, got {format_value(value)}"
    problems.add_value(row, column.name, "not_a_date", detail, BAD_CELL_HINT)
    return 0.0


def _parse(text: str, column: Column) -> float | None:
    if text.strip().lower() in MISSING_VALUES:
        return float("nan")
    for name in (column.format, ISO_FORMAT):
        if name is not None:
            seconds = DatetimeNotation(name, column.unit == UTC).parse(text)
            if seconds is not None:
                return seconds
    return None
