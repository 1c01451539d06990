"""How long a checkpoint keeps the training waiting: ``python benchmarks/checkpoint_stall.py``.

Two MLPs, a small one and one with 100 MB of weights (and 200 MB of Adam's), batches of 8, one thread, on the CPU,
into an artifact store on this disk. Every training takes checkpoints by count, in two ways that take turns:

- aside: as the service does it: the tensors are copied, and written while the training goes on;
- waiting: the loop waits for the end of the writing, as it did before.

A stall is what the iteration with a checkpoint took beyond the median of those without one; what all iterations
until the next checkpoint took beyond that median is the cost, in which the writing's share of the processor is.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from machine import summarize_times, write_results

from app.spec.data.columns import Column, DataSchema
from app.storage.local import LocalStore
from workers.protocol.assignment import Assignment, DatasetRef
from workers.protocol.messages import Command, Ending
from workers.training.assembly import PreparedTraining
from workers.training.context import MemoryContext
from workers.training.loop import train
from workers.training.prepare import prepare

FEATURES, CLASSES, ROWS, BATCH = 64, 10, 512, 8
# Name → units of the two hidden layers, steps between two checkpoints.
MODEL_SIZES: Mapping[str, tuple[int, int]] = {"small": (128, 500), "100 MB": (5000, 120)}
BOUNDS = {"small": 0.5, "100 MB": 0.1}  # stall aside / stall waiting; set after the first run
CHECKPOINTS = 2  # of a training, besides the final one
SCHEMA = DataSchema(
    columns=(
        Column(name="x", shape=(FEATURES,), dtype="float32"),
        Column(name="y", shape=(), dtype="int64", classes=CLASSES),
    ),
    rows={"train": ROWS},
    inputs=("x",),
    target="y",
)


@dataclass
class StepTimer(MemoryContext):
    """Notes when every iteration of the loop begins."""

    timestamps: list[float] = field(default_factory=list)

    def commands(self) -> list[Command]:
        """Return nothing."""
        self.timestamps.append(time.perf_counter())
        return []


def job_spec(units: int, every: int) -> dict[str, Any]:
    """Return the job."""
    layers = [{"kind": "Linear", "out_features": units}, {"kind": "ReLU"}] * 2
    return {
        "model": {"layers": [*layers, {"kind": "Linear", "out_features": CLASSES}]},
        "data": {"kind": "dataset", "id": "ds_" + "0" * 32},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}},
        "training": {
            "optimizer": {"kind": "Adam"},
            "batch_size": BATCH,
            "device": "cpu",
            "steps": every * (CHECKPOINTS + 1),
            "evaluate": {"every_steps": 10**6},
            "checkpoint": {"every_steps": every, "every_seconds": None, "keep_best": 0},
        },
    }


def block_on_checkpoints(prepared: PreparedTraining) -> None:
    """Let the loop wait for every checkpoint."""
    begin = prepared.saver.save

    def save(*arguments: Any) -> None:
        begin(*arguments)
        prepared.saver.poll(wait=True)

    prepared.saver.save = save  # type: ignore[method-assign]


def measure_stalls(folder: Path, size: str, way: str) -> Iterator[tuple[float, float, float]]:
    """Train once; yields the stall and the cost of every checkpoint, and what a step takes, in seconds."""
    units, every = MODEL_SIZES[size]
    store = LocalStore(folder / "store")
    generator = np.random.default_rng(0)
    np.savez(
        folder / "examples.npz",
        x=generator.normal(size=(ROWS, FEATURES)).astype("float32"),
        y=generator.integers(CLASSES, size=ROWS),
    )
    store.put_file("examples.npz", folder / "examples.npz")
    assignment = Assignment(
        job_id="job_bench",
        fence=time.monotonic_ns(),
        spec=job_spec(units, every),
        data_schema=SCHEMA.model_dump(mode="json"),
        store_url="",
        data_root="",
        dataset=DatasetRef({"kind": "upload", "format": "npz"}, "examples.npz"),
    )
    clock = StepTimer()
    prepared = prepare(assignment, store, clock, folder)
    if way == "waiting":
        block_on_checkpoints(prepared)
    outcome = train(prepared)
    if outcome.ending is not Ending.SUCCEEDED or len(clock.saved) != CHECKPOINTS + 1:
        raise SystemExit(f"the training {outcome.ending}, with {len(clock.saved)} checkpoints")
    took = [after - before for before, after in zip(clock.timestamps, clock.timestamps[1:], strict=False)]
    step = median(took[1:every])  # before the first checkpoint
    for number in range(1, CHECKPOINTS + 1):
        yield took[number * every] - step, sum(took[number * every : (number + 1) * every]) - every * step, step


def main() -> None:
    """Measure and write results/checkpoint_stall.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="trainings of every size and way")
    options = parser.parse_args()
    torch.set_num_threads(1)
    measured: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for turn in range(options.rounds):
        for size in MODEL_SIZES:
            for way in ("aside", "waiting")[:: -1 if turn % 2 else 1]:
                with tempfile.TemporaryDirectory(prefix="graftwerk-bench-") as folder:
                    measured.setdefault((size, way), []).extend(measure_stalls(Path(folder).absolute(), size, way))
    result: dict[str, Any] = {"stall_ms": {}, "cost_ms": {}, "step_ms": {}}
    for (size, way), figures in measured.items():
        for name, seconds in zip(result, zip(*figures, strict=True), strict=True):
            result[name][f"{size}, {way}"] = summarize_times(seconds)
    claims = []
    for size, bound in BOUNDS.items():
        aside, waited = (result["stall_ms"][f"{size}, {way}"]["median"] for way in ("aside", "waiting"))
        claims.append(
            {
                "what": f"a checkpoint keeps the training waiting, of what its writing takes, {size}",
                "measured": round(aside / waited, 3),
                "unit": "x",
                "bound": bound,
                "at_most": True,
            }
        )
    write_results("checkpoint_stall", result, claims)


if __name__ == "__main__":
    main()
