"""The result of a job that succeeded, and how numbers become JSON."""

import math
from typing import TypedDict

from workers.training.state import TrainState


class BestResult(TypedDict):
    """The best value of the monitored series, and the step of its evaluation."""

    monitor: str
    value: float | None
    step: int | None


class TrainingResult(TypedDict):
    """The result, as JSON."""

    step: int
    epoch: float
    values: dict[str, float | None]  # the newest of every series
    best: BestResult
    seconds: float
    stopped_early: bool


def finite_or_none(value: float) -> float | None:
    """Return a number as JSON has it: `None` for NaN and the infinities."""
    return value if math.isfinite(value) else None


def training_result(state: TrainState, epoch: float) -> TrainingResult:
    """Return the final values, the best one, and the length of the training."""
    counters, best = state.counters, state.best
    return {
        "step": counters.step,
        "epoch": epoch,
        "values": {name: finite_or_none(value) for name, value in counters.latest.items()},
        "best": {"monitor": best.monitor, "value": best.best, "step": best.step},
        "seconds": counters.elapsed,
        "stopped_early": counters.stopped,
    }
