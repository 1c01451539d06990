"""Trainings in this process, with edits: what `surgery.py` measures of them."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from app.spec.data.columns import Column, DataSchema
from app.spec.job import named_dataset_schema, parse_job
from app.storage.local import LocalStore
from workers.children.inspect import InspectionLimits, inspect_job
from workers.protocol.assignment import Assignment, DatasetRef, EditRef
from workers.protocol.messages import Command, EditApplied, EditMessage, Ending
from workers.training.context import MemoryContext
from workers.training.loop import train
from workers.training.prepare import prepare

Json = dict[str, Any]
FEATURES, CLASSES, ROWS = 64, 10, 512  # of the made-up examples, where only times are measured
MADE_UP: Mapping[str, Any] = {"kind": "dataset", "id": "ds_" + "0" * 32}
SCHEMA = DataSchema(
    columns=(
        Column(name="x", shape=(FEATURES,), dtype="float32"),
        Column(name="y", shape=(), dtype="int64", classes=CLASSES),
    ),
    rows={"train": ROWS},
    inputs=("x",),
    target="y",
)
LIMITS = InspectionLimits(10_000, 10**9, 64 << 30)


@dataclass
class StepTimer(MemoryContext):
    """Notes the time at which every iteration of the loop begins."""

    timestamps: list[float] = field(default_factory=list)  # wall clock, in seconds
    cpu: list[float] = field(default_factory=list)  # of this process
    edit_iterations: list[int] = field(default_factory=list)  # places of the iterations that applied an edit

    def report_edit(self, message: EditMessage) -> None:
        """Note in which iteration the edit was applied."""
        super().report_edit(message)
        self.edit_iterations.append(len(self.timestamps) - 1)

    def commands(self) -> list[Command]:
        """Return nothing."""
        self.timestamps.append(time.perf_counter())
        self.cpu.append(time.process_time())
        return []


@dataclass(frozen=True)
class Run:
    """What came of a training."""

    timer: StepTimer

    def values(self, series: str) -> dict[int, float]:
        """Return the values of a series by step."""
        points = self.timer.series(series)
        return dict(zip(points.step, map(float, points.value), strict=True))

    @property
    def edits(self) -> list[EditApplied]:
        """The edits that were applied. Raises `SystemExit` if one was rejected."""
        for edit in self.timer.edits:
            if not isinstance(edit, EditApplied):
                raise SystemExit(f"an edit was not applied: {edit}")
        return [edit for edit in self.timer.edits if isinstance(edit, EditApplied)]

    def iterations(self, cpu: bool = False) -> list[float]:
        """Return the seconds of every iteration. After an edit the loop begins anew, at the same step."""
        times = self.timer.cpu if cpu else self.timer.timestamps
        return [after - before for before, after in pairwise(times)]


def run_training(spec: Json, edits: Mapping[int, Sequence[Json]] | None = None) -> Run:
    """Train a job to its end; `edits` are operations by the step before which they are applied."""
    registered = named_dataset_schema(parse_job(spec)) or SCHEMA
    timer = StepTimer()
    with tempfile.TemporaryDirectory(prefix="graftwerk-bench-") as name:
        folder = Path(name).absolute()
        store = LocalStore(folder / "store")
        assignment = Assignment(
            job_id="job_bench",
            fence=time.monotonic_ns(),
            spec=spec,
            data_schema=registered.model_dump(mode="json"),
            store_url="",
            data_root="",
            dataset=_made_up_dataset(folder, store) if registered is SCHEMA else None,
            edits=tuple(
                EditRef(number, tuple(operations), {"step": step})
                for number, (step, operations) in enumerate(sorted((edits or {}).items()), 1)
            ),
        )
        (folder / "work").mkdir()
        outcome = train(prepare(assignment, store, timer, folder / "work"))
    if outcome.ending is not Ending.SUCCEEDED:
        raise SystemExit(f"the training {outcome.ending}: {outcome.error}")
    return Run(timer)


def _made_up_dataset(folder: Path, store: LocalStore) -> DatasetRef:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(ROWS, FEATURES)).astype("float32"), generator.integers(CLASSES, size=ROWS)
    np.savez(folder / "examples.npz", x=x, y=y)
    store.put_file("examples.npz", folder / "examples.npz")
    return DatasetRef({"kind": "upload", "format": "npz"}, "examples.npz")


def network_totals(spec: Json) -> dict[str, int]:
    """Return parameters, and floating point operations of one example's forward pass."""
    registered = None if named_dataset_schema(parse_job(spec)) else SCHEMA
    found = inspect_job(spec, registered, LIMITS)
    if found.problems:
        raise SystemExit(f"the job has problems: {found.problems}")
    totals: dict[str, int] = found.report["totals"]
    return totals
