"""Rows in time through a network of windows: the last window of each series, and what it is the forecast of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from app.errors import DataError, InvalidInput, Problem
from app.spec.data.columns import DataSchema
from app.spec.data.examples.windows import FUTURE_SUFFIX, Windows
from workers.data.columns import ParsedColumn, PreparedColumn, SplitColumns, WindowTensor, select_rows
from workers.data.features.preparation import Preparation
from workers.data.loading.window_index import SortedRows, sort_rows

ROWS_POINTER = "/rows"
MAX_NAMED = 5  # series in a problem


@dataclass(frozen=True)
class LastWindows:
    """The inputs of the last window of each series, and which they are."""

    inputs: Mapping[str, PreparedColumn]
    origins: Sequence[Mapping[str, Any]]  # {"series", "after"}: the series, and the time of its last row that is read


def last_windows(
    preparation: Preparation, windows: Windows, schema: DataSchema, split: SplitColumns, names: tuple[str, ...]
) -> LastWindows:
    """Return the last window of each series of some rows, as inputs `names`.

    With inputs that are known beforehand, the last `horizon` rows of each series are those that are predicted.

    Raises
    ------
    InvalidInput
        If a series has too few rows, a gap that the job refuses, or two rows at one time; or if the time between rows
        is not that of the training.
    """
    try:
        rows = sort_rows(split, windows, schema)
        rows.check_step(preparation.time_step)
        ends = _last_segments(rows)
    except DataError as error:
        raise InvalidInput([Problem(ROWS_POINTER, error.code, error.detail, error.hint)]) from None
    future = windows.horizon if windows.known else 0
    _check_lengths(rows, ends, windows, future, split)
    ends_of_past = ends[:, 1] - future
    past = _gather(split, rows, ends_of_past - windows.length, windows.length)
    known = _gather(split, rows, ends_of_past, future)
    inputs: dict[str, PreparedColumn] = {}
    sources = {name + FUTURE_SUFFIX: name for name in windows.known}
    for name in names:
        own, part, length = (sources[name], known, future) if name in sources else (name, past, windows.length)
        one = Preparation({own: preparation.preprocessors[own]}).transform(part, (own,))[own]
        if not isinstance(one, Tensor):
            raise TypeError(f"{own} has no windows")
        inputs[name] = WindowTensor(one, torch.arange(len(ends)) * length, length)
    origins = [
        {"series": _series(split, windows, int(rows.order[end - 1])), "after": rows.when(end - 1)}
        for end in ends_of_past.tolist()
    ]
    return LastWindows(inputs, origins)


def _last_segments(rows: SortedRows) -> np.ndarray[Any, Any]:
    """Return (first, end) of the last rows of each series that follow each other without a gap: int64 (series, 2)."""
    breaks = np.concatenate([[0], rows.breaks(), [len(rows.order)]]).astype(np.int64)
    segments = np.stack([breaks[:-1], breaks[1:]], 1)
    codes = rows.codes[segments[:, 0]]
    is_last = np.append(codes[1:] != codes[:-1], True)
    found: np.ndarray[Any, Any] = segments[is_last]
    return found


def _check_lengths(
    rows: SortedRows, ends: np.ndarray[Any, Any], windows: Windows, future: int, split: SplitColumns
) -> None:
    needed = windows.length + future
    short = [(first, end) for first, end in ends.tolist() if end - first < needed]
    if not short:
        return
    what = [
        f"{end - first} rows" + (f' of "{_series(split, windows, int(rows.order[first]))}"' if windows.series else "")
        for first, end in short[:MAX_NAMED]
    ]
    behind = f", and the {future} rows to be predicted behind them" if future else ""
    detail = f"there are {', '.join(what)} without a gap, and the network reads the last {windows.length}{behind}"
    raise InvalidInput([Problem(ROWS_POINTER, "too_few_rows", detail, f"send {needed} rows of each series at least")])


def _gather(split: SplitColumns, rows: SortedRows, starts: np.ndarray[Any, Any], length: int) -> SplitColumns:
    """Return the rows of spans of one length, one behind the other."""
    chosen = torch.from_numpy(rows.order[(starts[:, None] + np.arange(length)).reshape(-1)])
    return {name: select_rows(column, chosen) for name, column in split.items()}


def _series(split: Mapping[str, ParsedColumn], windows: Windows, row: int) -> Any:
    """Return the series of a row as the data has it; `None` where there is one series."""
    if windows.series is None:
        return None
    value = select_rows(split[windows.series], torch.tensor([row]))
    return value.flatten()[0].item() if isinstance(value, Tensor) else cast(Sequence[object], value)[0]
