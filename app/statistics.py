"""Statistics of what happens inside a network while it trains: one row per sampled step, read in buckets as curves are.

A sample has a value of every series of its layout, which is a list of (node, quantity) that changes with the network
alone. Histograms have bins whose edges never change, so that only counts are stored.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import LargeBinary, delete, func, select
from sqlalchemy.orm import Session

from app import curves
from app.db.tables import StatisticLayoutRow, StatisticSampleRow
from app.spec.training.statistics import BINS_PER_OCTAVE, OCTAVES

Series = tuple[str, str]  # node, quantity
Floats = NDArray[np.float64]

ABSENT = np.finfo(np.float32).min  # stands where a series has no value at a step; no statistic reaches it
VALUE_BYTES = 4  # of a float32
FIRST_BIN_BITS = BINS_PER_OCTAVE - 1  # bin k >= 1 begins at the float32 whose bits are (k + this) << MANTISSA_SHIFT
MANTISSA_SHIFT = 21


class Histograms(Protocol):
    """The filled bins of several histograms, one after the other."""

    @property
    def sizes(self) -> Sequence[int]:
        """How many bins each histogram fills; 0: it has no values."""

    @property
    def bins(self) -> Sequence[int]:
        """The numbers of the bins: ..., -2, -1 of negative values, 0 around zero, and 1, 2, ... of positive ones."""

    @property
    def counts(self) -> Sequence[int]:
        """How many values each bin has."""


class Sample(Protocol):
    """The statistics of one step, as an attempt sends them."""

    @property
    def step(self) -> int:
        """The step, counted from 1."""

    @property
    def layout(self) -> str:
        """A digest of the series and of those with histograms."""

    @property
    def values(self) -> Sequence[float | None]:
        """A value of every series; `None` where it has none at this step."""

    @property
    def series(self) -> Sequence[Series] | None:
        """The series of the layout; `None` where an earlier sample has told them."""

    @property
    def histogram_series(self) -> Sequence[Series] | None:
        """The series with histograms; `None` where an earlier sample has told them."""

    @property
    def histograms(self) -> Histograms | None:
        """The histograms, if this step has some."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which samples and series are read; `None` for all nodes, or all quantities."""

    nodes: frozenset[str] | None = None
    quantities: frozenset[str] | None = None
    low: int | None = None  # steps
    high: int | None = None
    max_points: int = 500

    def has(self, series: Sequence[str]) -> bool:
        """Say whether a series is selected. Parts of a quantity, as "branch_shares/then", are selected with it."""
        node, quantity = series
        return (self.nodes is None or node in self.nodes) and (
            self.quantities is None or quantity in self.quantities or quantity.partition("/")[0] in self.quantities
        )


@dataclass(slots=True)
class _Column:
    """The steps and values of one series, in pieces."""

    steps: list[NDArray[np.int64]] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)


def append(session: Session, job_id: str, sample: Sample) -> bool:
    """Append a sample; return whether it is new. One that is not later than the last is there already."""
    last = session.scalar(select(func.max(StatisticSampleRow.step)).where(StatisticSampleRow.job_id == job_id))
    if last is not None and sample.step <= last:
        return False
    if sample.series is not None and session.get(StatisticLayoutRow, (job_id, sample.layout)) is None:
        series, histograms = list(map(list, sample.series)), list(map(list, sample.histogram_series or ()))
        session.add(StatisticLayoutRow(job_id=job_id, digest=sample.layout, series=series, histograms=histograms))
        session.flush()
    values = np.array([ABSENT if value is None else value for value in sample.values], np.float32)
    packed = _pack(sample.histograms) if sample.histograms is not None else None
    row = {"step": sample.step, "layout": sample.layout, "values": values.tobytes(), "histograms": packed}
    session.add(StatisticSampleRow(job_id=job_id, **row))
    session.flush()
    return True


def rewind(session: Session, job_id: str, after_step: int) -> None:
    """Drop every sample of a step above `after_step`: the attempt that resumes there takes them again."""
    late = (StatisticSampleRow.job_id == job_id, StatisticSampleRow.step > after_step)
    session.execute(delete(StatisticSampleRow).where(*late).execution_options(synchronize_session="fetch"))


def extent(session: Session, job_id: str) -> tuple[int, int]:
    """Return the number of a job's samples, and the last sampled step (0 if there is none)."""
    query = select(func.count(), func.max(StatisticSampleRow.step)).where(StatisticSampleRow.job_id == job_id)
    count, last = session.execute(query).one()
    return count, last or 0


def read(session: Session, job_id: str, selection: Selection, max_buckets: int) -> dict[str, dict[str, dict[str, Any]]]:
    """Return columns `step`, `min`, `max`, `last` and the `width` of buckets, by node and quantity.

    Buckets are those of curves, see `app.curves.downsample`. There are no more than `max_buckets` in all.
    """
    columns: dict[Series, _Column] = {}
    for layout in _layouts(session, job_id):
        chosen = [index for index, series in enumerate(layout.series) if selection.has(series)]
        if not chosen:
            continue
        first = chosen[0]
        steps, matrix = _values(session, job_id, layout.digest, first, chosen[-1] + 1 - first, selection.high)
        for index in chosen:
            values = matrix[:, index - first]
            present = values > ABSENT
            present |= np.isnan(values) | np.isneginf(values)
            node, quantity = layout.series[index]
            column = columns.setdefault((node, quantity), _Column())
            column.steps.append(steps[present])
            column.values.append(values[present].astype(np.float64))
    most = max(1, min(selection.max_points, max_buckets // max(1, len(columns))))
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (node, quantity), column in columns.items():
        if (buckets := _buckets(column, selection.low, most)) is not None:
            found.setdefault(node, {})[quantity] = buckets
    return found


def _buckets(column: _Column, low: int | None, max_points: int) -> dict[str, Any] | None:
    steps, values = np.concatenate(column.steps), np.concatenate(column.values)
    order = np.argsort(steps, kind="stable")  # layouts may take turns: a rollback goes back to one
    steps, values = steps[order], values[order]
    first = int(np.searchsorted(steps, low)) if low is not None else 0
    if first == len(steps):
        return None
    return curves.buckets(steps[first:], values[first:], first, max_points)


def _layouts(session: Session, job_id: str) -> Sequence[StatisticLayoutRow]:
    query = select(StatisticLayoutRow).where(StatisticLayoutRow.job_id == job_id).order_by(StatisticLayoutRow.digest)
    return session.scalars(query).all()


def _values(
    session: Session, job_id: str, layout: str, first: int, count: int, high: int | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the steps (S) and values (S, count) of a layout's samples, from the series `first` on."""
    part = func.substr(StatisticSampleRow.values, 1 + VALUE_BYTES * first, VALUE_BYTES * count, type_=LargeBinary)
    query = select(StatisticSampleRow.step, part).order_by(StatisticSampleRow.step)
    query = query.where(StatisticSampleRow.job_id == job_id, StatisticSampleRow.layout == layout)
    if high is not None:
        query = query.where(StatisticSampleRow.step <= high)
    rows = session.execute(query).all()
    values = np.frombuffer(b"".join(bytes(values) for _, values in rows), np.float32)
    return np.array([step for step, _ in rows], np.int64), values.reshape(len(rows), count)


def read_histograms(session: Session, job_id: str, node: str, quantity: str, selection: Selection) -> dict[str, Any]:
    """Return the `steps` (S), the `edges` (B + 1) of the bins and their `counts` (S, B) of one series.

    Of more than `max_points` samples every 2^k-th is taken, counted from the first of the job; the bins are those that
    some of the samples fills, and those between.
    """
    places = {
        layout.digest: list(map(tuple, layout.histograms)).index((node, quantity))
        for layout in _layouts(session, job_id)
        if [node, quantity] in layout.histograms
    }
    query = select(StatisticSampleRow.step, StatisticSampleRow.layout).order_by(StatisticSampleRow.step)
    query = query.where(StatisticSampleRow.job_id == job_id, StatisticSampleRow.histograms.is_not(None))
    rows = [(step, layout) for step, layout in session.execute(query) if layout in places]
    inside = [
        (index, step, layout)
        for index, (step, layout) in enumerate(rows)
        if (selection.low is None or step >= selection.low) and (selection.high is None or step <= selection.high)
    ]
    first = inside[0][0] if inside else 0
    width = curves.bucket_width(first, len(inside), selection.max_points)
    taken = {step: layout for index, step, layout in inside if (index + 1) % width == 0 or index == inside[-1][0]}
    stored = select(StatisticSampleRow.step, StatisticSampleRow.histograms).order_by(StatisticSampleRow.step)
    stored = stored.where(StatisticSampleRow.job_id == job_id, StatisticSampleRow.step.in_(taken))
    found = {step: _unpack(packed, places[taken[step]]) for step, packed in session.execute(stored)}
    return _aligned({step: bins for step, bins in found.items() if bins})


def _aligned(histograms: Mapping[int, Mapping[int, int]]) -> dict[str, Any]:
    """Return histograms (step → bin → count) over common bins. Far smaller values than the largest are around zero."""
    largest = max((abs(number) for bins in histograms.values() for number in bins), default=0)
    floor = max(1, largest - OCTAVES * BINS_PER_OCTAVE)
    numbers = {number for bins in histograms.values() for number in bins if abs(number) >= floor}
    least = min(map(abs, numbers), default=1)
    low, high = min(numbers, default=0), max(numbers, default=0)
    shown = [*range(low, -least + 1), 0, *range(least, high + 1)]
    places = {number: place for place, number in enumerate(shown)}
    counts = np.zeros((len(histograms), len(shown)), np.int64)
    for row, bins in enumerate(histograms.values()):
        for number, count in bins.items():
            counts[row, places.get(number, places[0])] += count
    edges = [bin_edge(number) for number in shown if number < 0] + [-bin_edge(least), bin_edge(least)]
    edges += [bin_edge(number + 1) for number in shown if number > 0]
    return {"steps": list(histograms), "edges": edges, "counts": counts}


def bin_edge(number: int) -> float:
    """Return the edge of a bin that is farther from zero for a negative number, and nearer for a positive one.

    Every octave, from a power of two to the next, has four bins of equal width.
    """
    magnitude = abs(number) + 1 if number < 0 else number
    bits = np.uint32(min(magnitude + FIRST_BIN_BITS, 1019) << MANTISSA_SHIFT)
    return float(np.copysign(bits.view(np.float32), number))


def _pack(histograms: Histograms) -> bytes:
    """Return histograms as compressed bytes: how many there are, their sizes, bins and counts."""
    sizes = np.array(histograms.sizes, np.uint16)
    bins, counts = np.array(histograms.bins, np.int16), np.array(histograms.counts, np.uint32)
    return zlib.compress(np.uint32(len(sizes)).tobytes() + sizes.tobytes() + bins.tobytes() + counts.tobytes())


def _unpack(packed: bytes | None, place: int) -> dict[int, int]:
    """Return the counts of one of the packed histograms, by bin."""
    content = zlib.decompress(packed or b"")
    number = int(np.frombuffer(content, np.uint32, 1)[0])
    sizes = np.frombuffer(content, np.uint16, number, 4)
    total, begin, end = int(sizes.sum()), int(sizes[:place].sum()), int(sizes[: place + 1].sum())
    bins = np.frombuffer(content, np.int16, total, 4 + 2 * number)[begin:end]
    counts = np.frombuffer(content, np.uint32, total, 4 + 2 * number + 2 * total)[begin:end]
    return dict(zip(bins.tolist(), counts.tolist(), strict=True))
