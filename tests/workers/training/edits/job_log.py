"""What a service keeps of a job that is edited, without a service: attempts that are broken off, and their messages."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import torch
from torch import Tensor

from tests.workers.training.crashes import SimulatedCrash
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, resume_candidates
from workers.protocol.assignment import EditRef
from workers.protocol.messages import (
    Command,
    EditApplied,
    EditMessage,
    EditRejected,
    EditWithdrawn,
    JobMessage,
    ProgressReport,
    SavedCheckpoint,
    StatisticsSample,
)
from workers.training.checkpoints.files import restore_checkpoint
from workers.training.context import MemoryContext
from workers.training.loop import train

QUIET = {"every_seconds": None, "keep_best": 0}  # checkpoints


def edit(number: int, *operations: Mapping[str, Any], at: Any = "now", **applied: Any) -> EditRef:
    """Return an edit."""
    return EditRef(number, tuple(operations), at, **applied)


@dataclass
class OrderedContext(MemoryContext):
    """Keeps all messages in their order, and breaks the attempt off after a number of calls of `commands`."""

    messages: list[JobMessage] = field(default_factory=list)
    crash_at_call: int = -1

    def report(self, report: ProgressReport) -> None:
        self.messages.append(report)
        super().report(report)

    def save(self, saved: SavedCheckpoint) -> None:
        self.messages.append(saved)
        super().save(saved)

    def report_edit(self, message: EditMessage) -> None:
        self.messages.append(message)
        super().report_edit(message)

    def commands(self) -> list[Command]:
        if self.calls == self.crash_at_call:
            raise SimulatedCrash
        return super().commands()


@dataclass
class JobLog:
    """The rows of a job: its edits, revisions, checkpoints and points."""

    laboratory: TrainingHarness
    spec: dict[str, Any]
    edits: tuple[EditRef, ...] = ()
    documents: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    saved: list[SavedCheckpoint] = field(default_factory=list)
    points: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    samples: list[StatisticsSample] = field(default_factory=list)
    rejected: list[EditRejected] = field(default_factory=list)

    def run(self, context: OrderedContext | None = None, kept: float = 1.0) -> TrainingAttempt:
        """Run an attempt from the newest checkpoint; of its messages a share is kept, the first ones."""
        context = context or OrderedContext()
        prepared = self.laboratory.prepare(
            self.spec, context, resume_from=resume_candidates(*self.saved), edits=self.edits, documents=self.documents
        )
        try:
            outcome = train(prepared)
        finally:
            for message in context.messages[: round(kept * len(context.messages))]:
                self.record(message)
        return TrainingAttempt(outcome, prepared, context)

    def run_broken(self, draw: Random, calls: int) -> None:
        """Run an attempt that is broken off at random, with some of its last messages lost."""
        try:
            self.run(OrderedContext(crash_at_call=draw.randint(0, calls)), kept=1 - draw.random() ** 3)
        except SimulatedCrash:
            return

    def record(self, message: JobMessage) -> None:
        """Record a message as a worker does."""
        if isinstance(message, SavedCheckpoint):
            self.saved.append(message)
        elif isinstance(message, EditApplied):
            self._record_edit(message)
        elif isinstance(message, EditRejected):
            self.rejected.append(message)
            self.edits = tuple(each for each in self.edits if each.number != message.number)
        elif isinstance(message, EditWithdrawn):
            self.edits = tuple(each for each in self.edits if each.number != message.number)
        elif isinstance(message, ProgressReport):
            for kind, data in message.events:
                if kind == "rewound":
                    for name, points in self.points.items():
                        self.points[name] = [point for point in points if point[0] <= data["step"]]
                    self.samples = [sample for sample in self.samples if sample.step <= data["step"]]
            self.samples += message.statistics
            for name, block in message.series.items():
                self.points[name] += zip(block.step, block.value, strict=True)

    def _record_edit(self, message: EditApplied) -> None:
        applied = {"step": message.step, "revision": message.revision, "choices": message.choices}
        if message.number is None:
            known = [each for each in self.edits if (each.rule, each.firing) == (message.rule, message.firing)]
            number = 1000 + len(self.edits)
            origin = {"rule": message.rule, "firing": message.firing}
            edits = known or [EditRef(number, message.operations, **applied, **origin)]  # type: ignore[arg-type]
            self.edits = tuple(each for each in self.edits if each not in known) + tuple(edits)
        else:
            edits = [each for each in self.edits if each.number == message.number]
        (before,) = edits
        assert before.step in (None, message.step)  # applied again, it is applied at the same step
        self.edits = tuple(replace(each, **applied) if each is before else each for each in self.edits)  # type: ignore[arg-type]
        assert self.documents.setdefault(message.revision, message.document) == message.document

    def final_state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return every tensor and number of the last checkpoint."""
        return stored_state(self.laboratory, self.saved[-1])


def stored_state(laboratory: TrainingHarness, saved: SavedCheckpoint) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return every tensor and number of a checkpoint, without times."""
    restored = restore_checkpoint(resume_candidates(saved), laboratory.store, laboratory.folder)
    assert restored is not None
    numbers = json.loads(json.dumps(restored.state_json))
    numbers["counters"].pop("elapsed")
    return dict(restored.tensors), numbers


def assert_equal_states(
    one: tuple[Mapping[str, Tensor], Any], other: tuple[Mapping[str, Tensor], Any], but: Sequence[str] = ()
) -> None:
    """Compare two stored states bit by bit."""
    assert one[0].keys() == other[0].keys()
    different = [name for name, value in one[0].items() if not torch.equal(value, other[0][name])]
    assert different == []
    numbers = {name: (value, other[1].get(name)) for name, value in one[1].items() if name not in but}
    unequal = {name: values for name, values in numbers.items() if values[0] != values[1]}
    assert not unequal, unequal
