"""The result of a job that succeeded, and how numbers become JSON."""

import math
from collections.abc import Iterator
from typing import NotRequired, TypedDict

from app.errors import Problem
from workers.training.optim.schedules import JsonState
from workers.training.state import TrainState

UNMEASURED_HINT = "monitor another series, such as val/loss, or hold out rows by which it can be measured"


class BestResult(TypedDict):
    """The best value of the monitored series, and the step of its evaluation."""

    monitor: str
    value: float | None
    step: int | None


class TestResult(TypedDict):
    """The figures of the test, and the checkpoint whose weights were tested."""

    checkpoint: str | None
    step: int
    rows: int
    values: dict[str, float | None]


class TrainingResult(TypedDict):
    """The result, as JSON."""

    step: int
    epoch: float
    values: dict[str, float | None]  # the newest of every series
    best: BestResult
    seconds: float
    stopped_early: bool
    test: NotRequired[TestResult]


def finite_or_none(value: float) -> float | None:
    """Return a number as JSON has it: `None` for NaN and the infinities."""
    return value if math.isfinite(value) else None


def unmeasured_warnings(state: TrainState) -> Iterator[Problem]:
    """Yield a warning for every tracker that has followed a series without ever seeing a number."""
    if state.best.step is None:
        detail = f"{state.best.monitor} was never a number: the last checkpoint is taken for the best one"
        yield Problem("/training/checkpoint/monitor", "unmeasured_monitor", detail, UNMEASURED_HINT)
    if state.stopper is not None and state.stopper.step is None:
        detail = f"{state.stopper.monitor} was never a number: early stop has decided nothing"
        yield Problem("/training/early_stop/monitor", "unmeasured_monitor", detail, UNMEASURED_HINT)


def training_result(
    state: TrainState, epoch: float, test: JsonState | None = None, final_checkpoint: str | None = None
) -> TrainingResult:
    """Return the final values, the best one, the figures of the test, and the length of the training.

    `test` is the report of the test; where it names no checkpoint, the final one was tested.
    """
    counters, best = state.counters, state.best
    result: TrainingResult = {
        "step": counters.step,
        "epoch": epoch,
        "values": {name: finite_or_none(value) for name, value in counters.latest.items()},
        "best": {"monitor": best.monitor, "value": best.best, "step": best.step},
        "seconds": counters.elapsed,
        "stopped_early": counters.stopped,
    }
    if test is not None:
        checkpoint = test["checkpoint"] or final_checkpoint
        result["test"] = {
            "checkpoint": checkpoint,
            "step": test["step"],
            "rows": test["rows"],
            "values": test["values"],
        }
    return result
