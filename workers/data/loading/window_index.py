"""Where windows lie: the rows of a table in order of series and time, and the gaps between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.data.examples.windows import Windows
from workers.data.columns import ParsedColumn
from workers.data.loading.splits import time_values, value_codes
from workers.data.notation.datetime_formats import format_datetime

MAX_NAMED = 5  # gaps or duplicates in an error
DAY, HOUR, HALF_DAY = 86_400.0, 3_600.0, 43_200.0  # seconds
MIN_MONTH = 28 * DAY - HOUR  # of local midnights
TIME_PLACE, SERIES_PLACE = "/data/windows/time", "/data/windows/series"
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class WindowIndex:
    """The rows of a table by series and time, and the windows among them.

    `starts` are places in `order` of the first row of each window, int64 (windows); its horizon follows.
    """

    windows: Windows
    order: Tensor  # int64 (rows): the row at each place
    times: Tensor  # float64 (rows), in this order
    starts: Tensor

    @classmethod
    def of(cls, columns: Mapping[str, ParsedColumn], windows: Windows, schema: DataSchema) -> "WindowIndex":
        """Return the windows of a table. Raises `DataError` for rows at one time, and for gaps that are refused."""
        rows = sort_rows(columns, windows, schema)
        breaks = rows.breaks()
        ends = np.concatenate([breaks, [len(rows.order)]])
        needed = windows.length + windows.horizon
        starts = [
            np.arange(first, last - needed + 1, windows.stride)
            for first, last in zip(np.concatenate([[0], breaks]), ends, strict=True)
        ]
        order, times = torch.from_numpy(rows.order), torch.from_numpy(rows.times)
        return cls(windows, order, times, torch.from_numpy(np.concatenate(starts).astype(np.int64)))

    def within(self, first: float, before: float) -> Tensor:
        """Return the starts of the windows whose horizon lies in first <= time < before: int64."""
        begin = self.starts + self.windows.length
        is_within = (self.times[begin] >= first) & (self.times[begin + self.windows.horizon - 1] < before)
        return self.starts[is_within]


@dataclass(frozen=True)
class SortedRows:
    """Rows by series and time, without two at one time."""

    windows: Windows
    order: Array  # int64 (rows)
    times: Array  # float64 (rows)
    codes: Array  # int64 (rows): the series of each
    is_date: bool

    def breaks(self) -> Array:
        """Return the places where a series begins, or goes on after a gap that no window crosses: int64.

        Raises `DataError` for gaps, unless the job allows them.
        """
        begins = np.flatnonzero(np.diff(self.codes)) + 1
        if self.windows.gaps == "ignore":
            return begins
        gaps = np.flatnonzero((np.diff(self.codes) == 0) & self._is_gap()) + 1
        if len(gaps) and self.windows.gaps == "refuse":
            raise self._gap_error(gaps)
        return np.union1d(begins, gaps)

    def _is_gap(self) -> Array:
        """Return whether the time between neighbours is not the step of the series: bool (rows - 1)."""
        same = np.diff(self.codes) == 0
        steps = np.diff(self.times)
        if not same.any():
            return np.zeros(len(steps), bool)
        step = modal_step(steps[same])
        tolerance = HOUR if self.is_date and step >= DAY else 1e-6 * step  # days with a change of clocks
        is_gap = np.abs(steps - step) > tolerance
        if not self.is_date or step < MIN_MONTH or not is_gap[same].any():
            return is_gap  # the hours of a single day are of one day of the month, too
        months, is_calendar = calendar_months(self.times)
        return np.diff(months) != modal_step(np.diff(months)[same]) if is_calendar else is_gap

    def _gap_error(self, gaps: Array) -> DataError:
        places = [
            f"row {self.order[gap - 1] + 1} ({self.when(gap - 1)}) and row {self.order[gap] + 1} ({self.when(gap)})"
            for gap in gaps[:MAX_NAMED]
        ]
        more = f", {len(gaps):,} gaps in all" if len(gaps) > MAX_NAMED else ""
        detail = f'steps of "{self.windows.time}" are missing or uneven between {", ".join(places)}{more}'
        hint = (
            'add the rows; or "gaps": "split", so that no window reaches over a gap; or "ignore", if rows follow each '
            "other whatever time lies between; local hours need their offset where clocks change: 02:00+01:00"
        )
        return DataError(detail, pointer=TIME_PLACE, hint=hint)

    def when(self, place: int) -> str:
        """Return the time of a row for people."""
        return format_time(float(self.times[place]), self.is_date)


def sort_rows(columns: Mapping[str, ParsedColumn], windows: Windows, schema: DataSchema) -> SortedRows:
    """Return the rows of a table by series and time. Raises `DataError` for two rows of a series at one time."""
    numbers = torch.arange(len(next(iter(columns.values()))))
    values = columns.get(windows.time)
    if values is None or (windows.series is not None and windows.series not in columns):
        raise DataError(f'the data has no column "{windows.time}" or "{windows.series}"', pointer="/data/windows")
    times = time_values(values, windows.time, TIME_PLACE, numbers).numpy()
    codes = np.zeros(len(times), np.int64)
    if windows.series is not None:
        codes = value_codes(columns[windows.series], windows.series, SERIES_PLACE, numbers).numpy()
    order = np.lexsort((times, codes))
    is_date = schema.column_type(windows.time) == "datetime"
    rows = SortedRows(windows, order, times[order], codes[order], is_date)
    _check_duplicates(rows)
    return rows


def _check_duplicates(rows: SortedRows) -> None:
    equal = np.flatnonzero((np.diff(rows.codes) == 0) & (np.diff(rows.times) == 0))
    if not len(equal):
        return
    pairs = [
        f"rows {rows.order[place] + 1} and {rows.order[place + 1] + 1} ({rows.when(place)})"
        for place in equal[:MAX_NAMED]
    ]
    more = f", {len(equal):,} in all" if len(equal) > MAX_NAMED else ""
    of_series = f' of one "{rows.windows.series}"' if rows.windows.series is not None else ""
    hint = (
        "leave one of them out; local hours that clocks repeat need their offset, such as 02:00+01:00"
        if rows.windows.series is not None
        else 'name the column that tells series apart in "series"; or leave one of them out'
    )
    detail = f'{", ".join(pairs)} have the same "{rows.windows.time}"{of_series}{more}'
    raise DataError(detail, pointer=TIME_PLACE, hint=hint)


def modal_step(steps: Array) -> float:
    """Return the most frequent step; of equally frequent ones the least."""
    values, counts = np.unique(steps, return_counts=True)
    return float(values[counts.argmax()])


def calendar_months(seconds: Array) -> tuple[Array, bool]:
    """Return the month of each date, counted from 1970, and whether all are one day of it, or all its last day.

    Dates are rounded to whole days, since a local midnight is an hour off where clocks change.
    """
    days = np.floor((seconds + HALF_DAY) / DAY).astype(np.int64).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    of_month = (days - months.astype("datetime64[D]")).astype(np.int64)
    is_last = (days + 1).astype("datetime64[M]") != months
    return months.astype(np.int64), bool((of_month == of_month[0]).all() or is_last.all())


def format_time(value: float, is_date: bool) -> str:
    """Return a time for people: a date in ISO 8601, or the number."""
    return format_datetime(value) if is_date else f"{value:g}"
