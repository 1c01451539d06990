"""A line on a grid: for every column of dots, which of them it covers.

A column covers everything from the least to the largest value that falls on it, so that no spike vanishes however
many points share a column.
"""

from collections.abc import Iterator

from graftwerk.charts.lines import Line
from graftwerk.charts.scales import Scale

Envelope = dict[int, tuple[float, float]]  # column → least and largest position, from 0 to 1


def cover_columns(line: Line, x: Scale, y: Scale, columns: int) -> Envelope:
    """Return what a line covers. It is interrupted where its last value has no place on the scale."""
    covered: Envelope = {}
    previous: tuple[int, float] | None = None
    for at, low, high, last in zip(line.x, line.low, line.high, line.last, strict=True):
        if not x.shows(at) or not 0.0 <= (place := x.position(at)) <= 1.0:
            previous = None
            continue
        column = round(place * (columns - 1))
        for value in (low, high, last):
            if y.shows(value):
                _extend(covered, column, y.position(value))
        if not y.shows(last):
            previous = None
            continue
        position = y.position(last)
        if previous is not None:
            for between, height in _interpolate(previous, (column, position)):
                _extend(covered, between, height)
        previous = column, position
    return covered


def _interpolate(start: tuple[int, float], stop: tuple[int, float]) -> Iterator[tuple[int, float]]:
    """Yield the heights at both edges of every column between two points, so that neighbours touch."""
    (first, low), (last, high) = start, stop
    span = last - first
    for column in range(first, last + 1):
        for edge in (column - 0.5, column + 0.5):
            share = min(max((edge - first) / span, 0.0), 1.0) if span else float(edge > first)
            yield column, low + (high - low) * share


def _extend(covered: Envelope, column: int, position: float) -> None:
    low, high = covered.get(column, (position, position))
    covered[column] = min(low, position), max(high, position)
