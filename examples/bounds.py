"""Bounds of the gates of `examples.accuracy`, each a function of what the baseline reached."""

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any

Baseline = Mapping[str, Any]


def better_than_baseline(name: str) -> Callable[[Baseline], float]:
    """Return a bound of one example more than the baseline: a tie does not beat it."""
    return lambda baseline: float(baseline[name]) + 1 / int(baseline["test"])


def close_to_baseline(name: str, share: float) -> Callable[[Baseline], float]:
    """Return a bound a share above the baseline: what another seed may differ by."""
    return lambda baseline: float(baseline[name]) * (1 + share)


def as_good_as_baseline(name: str) -> Callable[[Baseline], float]:
    """Return a bound of one standard error of the test below a baseline's share of right examples."""

    def bound(baseline: Baseline) -> float:
        share = float(baseline[name])
        return share - sqrt(share * (1 - share) / int(baseline["test"]))

    return bound


def fixed_bound(bound: float) -> Callable[[Baseline], float]:
    """Return a bound without a baseline."""
    return lambda _: bound


def least_squares_bound(baseline: Baseline) -> float:
    """Return the mean square of the closed form, plus 0.01 %."""
    return float(baseline["mean square"]) * (1 + 1e-4)
