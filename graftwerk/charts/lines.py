"""What is drawn of a curve: the buckets of a series, and panels of series that share an axis."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from graftwerk.charts.scales import Scale, fit_scale
from graftwerk.types import Metrics


@dataclass(frozen=True, slots=True)
class Line:
    """A series in buckets: columns of equal length. A bucket without finite values has NaN or infinities in them."""

    name: str
    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    last: Sequence[float]

    def values(self) -> Iterator[float]:
        """Yield every value that has to be inside the bounds of a scale."""
        return chain(self.low, self.high, self.last)

    def gaps(self, x: Scale, y: Scale) -> list[float]:
        """Return the x of the buckets whose last value has no place: NaN, infinities, none positive on a log scale."""
        return [at for at, value in zip(self.x, self.last, strict=True) if x.shows(at) and not y.shows(value)]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines that share both axes; a scale is `None` if there is nothing that it could show."""

    title: str
    lines: Sequence[Line]
    x: Scale | None
    y: Scale | None


def lines_of(metrics: Metrics) -> list[Line]:
    """Return the series of curves that have points."""
    lines = []
    for name, columns in metrics.series.items():
        last = columns["last"]
        if last:
            x = columns.get("x") or columns["step"]
            lines.append(Line(name, x, columns.get("min", last), columns.get("max", last), last))
    return lines


def arrange_panels(lines: Sequence[Line], *, together: bool, log_x: bool = False, log_y: bool = False) -> list[Panel]:
    """Return panels, one for each quantity (`train/loss` and `val/loss`) if `together`, else for each line.

    All of them have the same x. Returns of episodes come first: losses of an agent say little of how well it acts.
    """
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.name.rpartition("/")[2] if together else line.name, []).append(line)
    x = fit_scale(chain.from_iterable(line.x for line in lines), log_x)
    panels = []
    for title, members in sorted(groups.items(), key=lambda group: group[0].rpartition("/")[2] != "return"):
        values = chain.from_iterable(line.values() for line in members)
        panels.append(Panel(title, members, x, fit_scale(values, log_y)))
    return panels
