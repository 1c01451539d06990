"""Linear and logarithmic scales, and their ticks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

TICK_STEPS = (1.0, 2.0, 5.0, 10.0)  # of a linear scale, times a power of ten
TOLERANCE = 1e-9  # of a tick, in steps
MIN_SPAN = 1e-300  # above what floats divide without loss


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from `low` to `high` to positions from 0 to 1."""

    low: float
    high: float
    log: bool = False

    def shows(self, value: float) -> bool:
        """Return whether a value has a place: finite, and positive on a logarithmic scale."""
        return math.isfinite(value) and (value > 0 or not self.log)

    def position(self, value: float) -> float:
        """Return the position of a value that the scale shows; outside of 0 to 1 if the value is out of bounds."""
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            return (math.log10(value) - low) / (high - low)
        return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)  # halves: the span may overflow

    def ticks(self, count: int) -> list[float]:
        """Return up to about `count` round values inside the bounds."""
        if not self.log:
            return _linear_ticks(self.low, self.high, count)
        first, last = math.ceil(math.log10(self.low) - TOLERANCE), math.floor(math.log10(self.high) + TOLERANCE)
        if last - first < 1:
            return _linear_ticks(self.low, self.high, count)
        every = max(1, math.ceil((last - first + 1) / max(count, 1)))
        return [10.0**power for power in range(first, last + 1, every)]


def fit_scale(values: Iterable[float], log: bool = False) -> Scale | None:
    """Return the scale that shows all values which can be shown; `None` if there are none."""
    known = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if not known:
        return None
    low, high = min(known), max(known)
    if log:
        return Scale(low, high, log) if high > low * (1 + TOLERANCE) else Scale(low / 2, high * 2, log)
    if high - low > max(abs(low) * TOLERANCE, abs(high) * TOLERANCE, MIN_SPAN):
        return Scale(low, high)
    pad = abs(low) / 2 if abs(low) > MIN_SPAN else 1.0
    return Scale(low - pad, high + pad)


def format_tick(value: float) -> str:
    """Return a value as a label of at most nine characters."""
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    return f"{value:.6g}" if abs(value) >= 1000 else f"{value:.4g}"


def _linear_ticks(low: float, high: float, count: int) -> list[float]:
    step = (high / 2 - low / 2) / max(count, 1) * 2
    if not math.isfinite(step) or step <= 0:
        return [low, high]
    unit = 10.0 ** math.floor(math.log10(step))
    if unit == 0.0:
        return [low, high]
    step = next(size * unit for size in TICK_STEPS if size * unit >= step * (1 - TOLERANCE))
    first = math.ceil(low / step - TOLERANCE)
    last = math.floor(high / step + TOLERANCE)
    return [round(number * step, 12 - math.floor(math.log10(step))) for number in range(first, last + 1)]
