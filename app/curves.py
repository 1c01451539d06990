"""Curves: points in chunks with a summary each, read as points or in buckets of minimum, maximum and last.

A series is a sequence of points with growing steps. 4,096 points make a chunk; for every 64 of them a chunk keeps
min, max and last, so that a coarse view of millions of points reads a small part of them.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.tables import MetricChunkRow

POINT_DTYPE = np.dtype([("step", "<i8"), ("value", "<f8"), ("time", "<f8"), ("elapsed", "<f8")])
# The last point, and its block. Summaries without counts of NaN, as they were stored before, have `count` in 8 bytes.
SUMMARY_DTYPE = np.dtype([*POINT_DTYPE.descr, ("min", "<f8"), ("max", "<f8"), ("count", "<i4"), ("nan", "<i4")])

CHUNK_SIZE = 4096
BLOCK_SIZE = 64
MAX_RAW_POINTS = 2**18  # that a whole curve is made of; a longer one of its summaries
AVERAGE_RUN = 64  # values of a moving average that are computed together
READER_CHUNKS = 16  # that a reader of short ranges keeps: 2 MiB

Points = NDArray[np.void]
Axis = Literal["step", "epoch", "elapsed", "time"]


def points_from(block: Any) -> Points:
    """Return points from an object with equally long lists `step`, `value`, `time` and `elapsed`."""
    points = np.empty(len(block.step), POINT_DTYPE)
    for name in ("step", "value", "time", "elapsed"):
        points[name] = getattr(block, name)
    return points


def append(session: Session, job_id: str, series: Mapping[str, Points]) -> dict[str, tuple[int, int]]:
    """Append points to series and return their index ranges [first, last + 1).

    Points that are not later than the last stored one are there already (a report written twice) and are left out.
    """
    return {name: _append(session, job_id, name, points) for name, points in series.items()}


def _append(session: Session, job_id: str, name: str, points: Points) -> tuple[int, int]:
    row = session.scalar(_chunks(job_id, name).order_by(MetricChunkRow.chunk.desc()).limit(1))
    start = row.chunk * CHUNK_SIZE + row.count if row is not None else 0
    if row is not None:
        points = points[points["step"] > row.last_step]
    stop = start + len(points)
    number = row.chunk if row is not None else 0
    if row is not None and row.count < CHUNK_SIZE and len(points):
        room = CHUNK_SIZE - row.count
        _fill(row, np.concatenate([np.frombuffer(row.points, POINT_DTYPE), points[:room]]))
        points = points[room:]
    for position in range(0, len(points), CHUNK_SIZE):
        number = (start + CHUNK_SIZE - 1) // CHUNK_SIZE + position // CHUNK_SIZE
        chunk = MetricChunkRow(job_id=job_id, series=name, chunk=number)
        _fill(chunk, points[position : position + CHUNK_SIZE])
        session.add(chunk)
    session.flush()
    return start, stop


def _fill(row: MetricChunkRow, points: Points) -> None:
    row.count = len(points)
    row.first_step, row.last_step = int(points["step"][0]), int(points["step"][-1])
    row.points = points.tobytes()
    row.summary = summarise(points, BLOCK_SIZE).tobytes()


def rewind(session: Session, job_id: str, after_step: int) -> None:
    """Drop every point with a step above `after_step`: the attempt that resumes there writes them again."""
    late = (MetricChunkRow.job_id == job_id, MetricChunkRow.first_step > after_step)
    session.execute(delete(MetricChunkRow).where(*late).execution_options(synchronize_session="fetch"))
    cut = select(MetricChunkRow).where(MetricChunkRow.job_id == job_id, MetricChunkRow.last_step > after_step)
    for row in session.scalars(cut):
        points = np.frombuffer(row.points, POINT_DTYPE)
        _fill(row, points[points["step"] <= after_step])
    session.flush()


def series_names(session: Session, job_id: str) -> list[str]:
    """Return the names of the job's series, sorted."""
    query = select(MetricChunkRow.series).where(MetricChunkRow.job_id == job_id).distinct()
    return sorted(session.scalars(query))


def read_points(session: Session, job_id: str, name: str, start: int = 0, stop: int | None = None) -> Points:
    """Return the points with index in [start, stop) of one series."""
    query = _chunks(job_id, name).where(MetricChunkRow.chunk >= start // CHUNK_SIZE)
    if stop is not None:
        query = query.where(MetricChunkRow.chunk <= max(0, stop - 1) // CHUNK_SIZE)
    stored = session.execute(query.with_only_columns(MetricChunkRow.points).order_by(MetricChunkRow.chunk))
    found: Points = np.frombuffer(b"".join(stored.scalars()), POINT_DTYPE)
    offset = start // CHUNK_SIZE * CHUNK_SIZE
    return found[slice(start - offset, None if stop is None else stop - offset)]


class PointReader:
    """Reads short ranges of one job's series; the last chunks stay in memory, for ranges follow each other."""

    def __init__(self, session: Session, job_id: str) -> None:
        self._session, self._job_id = session, job_id
        self._chunks: OrderedDict[tuple[str, int], Points] = OrderedDict()

    def read(self, name: str, start: int, stop: int) -> Points:
        """Return the points with index in [start, stop) of one series; fewer where they are no longer there."""
        numbers = range(start // CHUNK_SIZE, (max(start, stop - 1)) // CHUNK_SIZE + 1)
        found = np.concatenate([self._chunk(name, number) for number in numbers])
        offset = numbers.start * CHUNK_SIZE
        selected: Points = found[start - offset : stop - offset]
        return selected

    def _chunk(self, name: str, number: int) -> Points:
        key = name, number
        if key not in self._chunks:
            query = _chunks(self._job_id, name).where(MetricChunkRow.chunk == number)
            stored = self._session.scalar(query.with_only_columns(MetricChunkRow.points))
            self._chunks[key] = np.frombuffer(stored or b"", POINT_DTYPE)
            if len(self._chunks) > READER_CHUNKS:
                self._chunks.popitem(last=False)
        return self._chunks[key]


def _chunks(job_id: str, name: str) -> Any:
    return select(MetricChunkRow).where(MetricChunkRow.job_id == job_id, MetricChunkRow.series == name)


def summarise(points: Points, width: int) -> Points:
    """Return one summary for every `width` points: the last point, and the block's min, max, count and NaN count."""
    return _merge(_as_summaries(points), width)


def _as_summaries(points: Points) -> Points:
    summaries = np.empty(len(points), SUMMARY_DTYPE)
    for name in ("step", "value", "time", "elapsed"):
        summaries[name] = points[name]
    summaries["min"] = summaries["max"] = points["value"]
    summaries["count"] = 1
    summaries["nan"] = np.isnan(points["value"])
    return summaries


def _merge(summaries: Points, width: int) -> Points:
    """Merge runs of `width` summaries. NaN does not hide min and max; a run of nothing but NaN stays NaN."""
    if not len(summaries):
        return summaries
    starts = np.arange(0, len(summaries), width)
    merged: Points = summaries[np.append(starts[1:], len(summaries)) - 1].copy()
    merged["min"] = np.fmin.reduceat(summaries["min"], starts)
    merged["max"] = np.fmax.reduceat(summaries["max"], starts)
    for name in ("count", "nan"):
        merged[name] = np.add.reduceat(summaries[name], starts)
    return merged


def exponential_moving_average(points: Points, weight: float) -> Points:
    """Return the points with the debiased exponential moving average (Kingma and Ba 2015) of their finite values.

    A value that is not finite leaves the average as it was. `AVERAGE_RUN` values at a time are one matrix product.
    """
    result = points.copy()
    finite = np.isfinite(points["value"])
    values = points["value"][finite]
    places = np.arange(AVERAGE_RUN)
    kernel = np.tril((1 - weight) * weight ** np.maximum(places[:, None] - places, 0.0))
    padded = np.zeros(-(-len(values) // AVERAGE_RUN) * AVERAGE_RUN)
    padded[: len(values)] = values
    averages = padded.reshape(-1, AVERAGE_RUN) @ kernel.T
    decay, carry = weight**AVERAGE_RUN, 0.0
    carried = np.empty(len(averages))
    for run, last in enumerate(averages[:, -1].tolist()):
        carried[run] = carry
        carry = decay * carry + last
    averages += carried[:, None] * weight ** (places + 1.0)
    debiased = averages.reshape(-1)[: len(values)] / (1 - weight ** np.arange(1.0, len(values) + 1))
    count = np.cumsum(finite)
    known = count > 0
    result["value"][known] = debiased[count[known] - 1]
    return result


def downsample(
    session: Session,
    job_id: str,
    names: Sequence[str] | None = None,
    *,
    max_points: int = 1500,
    axis: Axis = "step",
    low: float | None = None,
    high: float | None = None,
    smooth: float = 0.0,
    steps_per_epoch: int = 1,
) -> dict[str, dict[str, Any]]:
    """Return columns for every series: `x`, `step`, `min`, `max`, `last`, `count`, `nan`, `width` (points per bucket).

    Exact where the points fit, up to `MAX_RAW_POINTS`. Otherwise a bucket holds 2^k points, counted from the start of
    the series, so that buckets keep their place while the curve grows. Smoothing comes before thinning.
    """
    scale = {"step": 1, "epoch": steps_per_epoch}.get(axis)
    steps = [None if scale is None or bound is None else bound * scale for bound in (low, high)]
    columns = {}
    for name in series_names(session, job_id) if names is None else names:
        total = _point_count(session, job_id, name)
        unbounded = low is None and high is None and not smooth
        if unbounded and total >= min(max_points * BLOCK_SIZE, MAX_RAW_POINTS):
            summaries, base, offset = _summaries(session, job_id, name), BLOCK_SIZE, 0
        else:
            series, offset = _read_between(session, job_id, name, (None, None) if smooth else steps)
            summaries, base = _as_summaries(exponential_moving_average(series, smooth) if smooth else series), 1
        x = _axis_values(summaries, axis, steps_per_epoch)
        inside = np.ones(len(x), bool)
        if low is not None:
            inside &= x >= low
        if high is not None:
            inside &= x <= high
        first = offset + (int(np.argmax(inside)) if inside.any() else 0)
        summaries = summaries[inside]
        summaries, width = _into_buckets(summaries, first, max_points)
        columns[name] = _columns(summaries, axis, steps_per_epoch) | {"width": width * base, "points": total}
    return columns


def buckets(steps: NDArray[np.int64], values: NDArray[np.float64], first: int, max_points: int) -> dict[str, Any]:
    """Return columns `step`, `min`, `max`, `last` and `width` of points in memory, by the rule of `downsample`.

    `first` is the index of the first point in its complete series.
    """
    points = np.zeros(len(steps), POINT_DTYPE)
    points["step"], points["value"] = steps, values
    summaries, width = _into_buckets(_as_summaries(points), first, max_points)
    columns = {name: np.ascontiguousarray(summaries[name]) for name in ("step", "min", "max")}
    return columns | {"last": np.ascontiguousarray(summaries["value"]), "width": width}


def bucket_width(first: int, count: int, max_points: int) -> int:
    """Return the least power of two for which points [first, first + count) fall into at most `max_points` buckets."""
    width = 1
    while _bucket_count(first, count, width) > max_points:
        width *= 2
    return width


def _into_buckets(summaries: Points, first: int, max_points: int) -> tuple[Points, int]:
    width = bucket_width(first, len(summaries), max_points)
    if width > 1:
        head = -first % width  # the first bucket is short if the selection starts inside one
        summaries = np.concatenate([_merge(summaries[:head], width), _merge(summaries[head:], width)])
    return summaries, width


def _read_between(session: Session, job_id: str, name: str, steps: Sequence[float | None]) -> tuple[Points, int]:
    """Return the points of all chunks with a step in a range (ends may be open), and the number of points before."""
    low, high = steps
    chunks = _chunks(job_id, name).with_only_columns(MetricChunkRow.chunk, MetricChunkRow.points)
    if low is not None:
        chunks = chunks.where(MetricChunkRow.last_step >= math.floor(low))
    if high is not None:
        chunks = chunks.where(MetricChunkRow.first_step <= math.ceil(high))
    rows = session.execute(chunks.order_by(MetricChunkRow.chunk)).all()
    return np.frombuffer(b"".join(row.points for row in rows), POINT_DTYPE), rows[0].chunk * CHUNK_SIZE if rows else 0


def _bucket_count(first: int, count: int, width: int) -> int:
    return (first + count + width - 1) // width - first // width


def _point_count(session: Session, job_id: str, name: str) -> int:
    last = _chunks(job_id, name).with_only_columns(MetricChunkRow.chunk, MetricChunkRow.count)
    row = session.execute(last.order_by(MetricChunkRow.chunk.desc()).limit(1)).first()
    return row.chunk * CHUNK_SIZE + row.count if row is not None else 0


def _summaries(session: Session, job_id: str, name: str) -> Points:
    query = _chunks(job_id, name).with_only_columns(MetricChunkRow.summary).order_by(MetricChunkRow.chunk)
    return np.frombuffer(b"".join(session.execute(query).scalars()), SUMMARY_DTYPE)


def _axis_values(points: Points, axis: Axis, steps_per_epoch: int) -> NDArray[np.float64]:
    if axis == "epoch":
        return np.asarray(points["step"] / steps_per_epoch)
    return np.asarray(points[axis])


def _columns(summaries: Points, axis: Axis, steps_per_epoch: int) -> dict[str, Any]:
    columns = {name: np.ascontiguousarray(summaries[name]) for name in ("step", "min", "max", "count", "nan")}
    columns["last"] = np.ascontiguousarray(summaries["value"])
    return columns | {"x": np.ascontiguousarray(_axis_values(summaries, axis, steps_per_epoch))}
