"""A laboratory: attempts at jobs without any service, with a real store in a temporary folder."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.spec.data.columns import DataSchema
from app.spec.job import named_dataset_schema, parse_job
from app.storage.protocol import ArtifactStore
from workers.protocol.assignment import Assignment, CheckpointRef
from workers.protocol.messages import Command, Outcome, SavedCheckpoint, StatisticsSample
from workers.training.assembly import PreparedTraining
from workers.training.checkpoints.files import checkpoint_ref
from workers.training.context import MemoryContext
from workers.training.loop import train
from workers.training.prepare import prepare
from workers.training.sources.rows import RowSource

MLP = [
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 16},
    {"kind": "ReLU"},
    {"kind": "Dropout", "p": 0.3},
    {"kind": "Linear", "out_features": 10},
]


def digits_job(layers: Any = None, *, training: Mapping[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """Return a job on the digits: 359 rows to train on, so 6 steps an epoch."""
    plan = {
        "steps": 15,
        "optimizer": {"kind": "Adam"},
        "device": "cpu",
        "checkpoint": {"every_seconds": None, "keep_best": 0},
    }
    return {
        "model": {"layers": layers or MLP},
        "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.8}},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
        "training": plan | (training or {}),
    } | parts


def resume_candidates(*saved: SavedCheckpoint) -> tuple[CheckpointRef, ...]:
    """Return what a supervisor would offer after these checkpoints, newest first."""
    return tuple(map(checkpoint_ref, reversed(saved)))


def rows_of(prepared: PreparedTraining) -> RowSource:
    """Return the rows of a job that has some."""
    assert isinstance(prepared.source, RowSource)
    return prepared.source


@dataclass
class TrainingAttempt:
    """What came of an attempt."""

    outcome: Outcome
    prepared: PreparedTraining
    context: MemoryContext

    def weights(self) -> str:
        """Return a digest of every bit of the network."""
        digest = hashlib.sha256()
        for name, value in sorted(self.prepared.network.state_dict().items()):
            digest.update(name.encode() + value.numpy().tobytes())
        return digest.hexdigest()

    def points(self, name: str) -> list[tuple[int, float]]:
        """Return (step, value) of every point of a series."""
        block = self.context.series(name)
        return list(zip(block.step, block.value, strict=True))

    def samples(self) -> list[StatisticsSample]:
        """Return every sample of statistics."""
        return [sample for report in self.context.reports for sample in report.statistics]

    def statistics(self) -> dict[int, dict[tuple[str, str], float]]:
        """Return the statistics that have a value, by step, and by node and quantity."""
        layouts = {sample.layout: sample.series for sample in self.samples() if sample.series is not None}
        return {
            sample.step: {
                series: value
                for series, value in zip(layouts[sample.layout], sample.values, strict=True)
                if value is not None
            }
            for sample in self.samples()
        }

    def events(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the data of every event of a kind."""
        return [data for report in self.context.reports for name, data in report.events if name == kind]


@dataclass
class TrainingHarness:
    """Runs attempts."""

    folder: Path
    store: ArtifactStore
    fence: int = 0

    def prepare(
        self,
        spec: dict[str, Any],
        context: MemoryContext | None = None,
        schema: DataSchema | None = None,
        **options: Any,
    ) -> PreparedTraining:
        """Prepare an attempt under a new fence; `schema` is that of a registered data set."""
        self.fence += 1
        schema = schema or named_dataset_schema(parse_job(spec))
        assert schema is not None
        assignment = Assignment(
            "job_1", self.fence, spec, schema.model_dump(mode="json"), "", str(self.folder), False, **options
        )
        workdir = self.folder / f"work-{self.fence}"
        workdir.mkdir()
        return prepare(Assignment.from_json(assignment.to_json()), self.store, context or MemoryContext(), workdir)

    def run(self, spec: dict[str, Any], stops: Mapping[int, Any] | None = None, **options: Any) -> TrainingAttempt:
        """Run an attempt; `stops` gives a command's verb by step (counted from where the attempt starts)."""
        context = MemoryContext({step: [Command(verb)] for step, verb in (stops or {}).items()})
        prepared = self.prepare(spec, context, **options)
        return TrainingAttempt(train(prepared), prepared, context)
