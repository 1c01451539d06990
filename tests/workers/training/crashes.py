"""Attempts that are broken off at random steps, and what a service keeps of them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.workers.training.harness import TrainingAttempt, resume_candidates
from workers.protocol.assignment import CheckpointRef
from workers.protocol.messages import Command, Ending, Message, ProgressReport, SavedCheckpoint, StatisticsSample
from workers.training.assembly import PreparedTraining
from workers.training.context import MemoryContext
from workers.training.loop import train

FREQUENT_CHECKPOINTS = {"every_steps": 3, "every_seconds": None, "keep_best": 0}  # checkpoints
MAX_INTERRUPTIONS = 5  # interruptions
PrepareFunction = Callable[[MemoryContext, tuple[CheckpointRef, ...]], PreparedTraining]


class SimulatedCrash(BaseException):
    """Ends an attempt without a chance to say so."""


@dataclass
class CrashingContext(MemoryContext):
    """Breaks an attempt off before a step, counted from where it began."""

    crash_at_call: int = -1

    def commands(self) -> list[Command]:
        if self.calls == self.crash_at_call:
            raise SimulatedCrash
        return super().commands()


@dataclass
class RecordedHistory:
    """What a service has of a job: points, of which an attempt drops those behind its checkpoint, and checkpoints."""

    points: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    saved: list[SavedCheckpoint] = field(default_factory=list)
    samples: list[StatisticsSample] = field(default_factory=list)

    def record(self, message: Message) -> None:
        """Record a message, as a supervisor does."""
        if isinstance(message, SavedCheckpoint):
            self.saved.append(message)
        if not isinstance(message, ProgressReport):
            return
        for kind, data in message.events:
            if kind == "rewound":
                for name, points in self.points.items():
                    self.points[name] = [point for point in points if point[0] <= data["step"]]
                self.samples = [sample for sample in self.samples if sample.step <= data["step"]]
        self.samples += message.statistics
        for name, block in message.series.items():
            self.points[name] += zip(block.step, block.value, strict=True)


def train_with_crashes(prepare: PrepareFunction, steps: int, draw: Random) -> tuple[TrainingAttempt, RecordedHistory]:
    """Train a job of so many steps that is broken off one to five times; returns the last attempt, and what was kept.

    What was announced last is sometimes lost with the attempt, as its commit is when a worker dies.
    """
    history = RecordedHistory()
    for _ in range(draw.randint(1, MAX_INTERRUPTIONS)):
        begun = history.saved[-1].step if history.saved else 0
        context = CrashingContext(crash_at_call=draw.randint(0, steps - begun))
        try:
            raise AssertionError(train(prepare(context, resume_candidates(*history.saved))))
        except SimulatedCrash:
            lost = draw.randint(0, 1)
        for message in (*context.reports, *context.saved[: len(context.saved) - lost]):
            history.record(message)
    context = MemoryContext()
    prepared = prepare(context, resume_candidates(*history.saved))
    attempt = TrainingAttempt(train(prepared), prepared, context)
    for message in (*context.reports, *context.saved):
        history.record(message)
    return attempt, history


def assert_same_as_uninterrupted(whole: TrainingAttempt, last: TrainingAttempt, history: RecordedHistory) -> None:
    """Compare with a run that nobody disturbed: every bit of the weights, and every point of every series."""
    assert whole.outcome.ending is last.outcome.ending is Ending.SUCCEEDED
    assert last.weights() == whole.weights()
    series = {name for report in whole.context.reports for name in report.series}
    assert series == {name for name, points in history.points.items() if points}
    for name in series:
        assert history.points[name] == whole.points(name), name
    assert comparable_samples(history.samples) == comparable_samples(whole.samples())
    assert history.saved[-1].final
    assert comparable_result(last) == comparable_result(whole)


def comparable_samples(samples: Sequence[StatisticsSample]) -> list[str]:
    """Return samples as text, in which NaN is NaN, without the names that every attempt tells once."""
    return [repr(replace(sample, series=None, histogram_series=None)) for sample in samples]


def comparable_result(attempt: TrainingAttempt) -> dict[str, Any]:
    """Return the result without what differs from run to run: the time, and the id of the tested checkpoint."""
    assert attempt.outcome.result is not None
    result = {**attempt.outcome.result, "seconds": 0}
    return result | {"test": {**result["test"], "checkpoint": ""}} if "test" in result else result
