"""What a step costs beside the arithmetic: ``python benchmarks/step_overhead.py``.

An MLP 64-128-10, batches of 64 out of 6,400 rows, fused Adam, one thread, on the CPU or, with ``--device cuda``, on a
GPU (then results/step_overhead_cuda.json). In every round each variant
trains once, in rotating order, so that a ratio compares times taken within seconds of each other:

- bare: forward, loss, backward and step on one fixed batch; what PyTorch itself needs;
- loop: the service's own loop, with everything a job has: an order drawn anew every epoch, every loss and learning rate
  recorded and sent through a pipe to another process, commands, and a checkpoint into an artifact store at the end;
- dataloader: what people write by hand, with a shuffling DataLoader and `loss.item()` after every step;
- lightning: with ``--lightning-python PATH``, an interpreter of an environment of its own that has the package
  `lightning`; its Trainer with its CSV log, without checkpoints, progress bar and summary.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import numpy as np
import torch
from drained_pipe import drained_pipe
from lightning_loop import run_lightning
from machine import summarize_times, write_results
from step_workload import BATCH, CLASSES, FEATURES, HIDDEN, LR, ROWS
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from app.spec.data.columns import Column, DataSchema
from app.storage.catalog import open_store
from workers.protocol.assignment import Assignment, DatasetRef
from workers.protocol.messages import Command, EditMessage, Ending, ProgressReport, SavedCheckpoint, send
from workers.training.loop import train
from workers.training.prepare import prepare

SPEC: dict[str, Any] = {
    "model": {
        "layers": [
            {"kind": "Linear", "out_features": HIDDEN},
            {"kind": "ReLU"},
            {"kind": "Linear", "out_features": CLASSES},
        ]
    },
    "data": {"kind": "dataset", "id": "ds_" + "0" * 32},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
    "training": {"optimizer": {"kind": "Adam", "lr": LR}, "batch_size": BATCH},
}
SCHEMA = DataSchema(
    columns=(
        Column(name="x", shape=(FEATURES,), dtype="float32"),
        Column(name="y", shape=(), dtype="int64", classes=CLASSES),
    ),
    rows={"train": ROWS},
    inputs=("x",),
    target="y",
)
WARMUP_STEPS = 200  # steps before the first round
Variant = Callable[[int], float]  # steps → seconds of one


@dataclass(frozen=True)
class ConnectionContext:
    """Sends what a runner sends; nobody ever commands."""

    pipe: Connection

    def report(self, report: ProgressReport) -> None:
        """Send a report."""
        send(self.pipe, report)

    def save(self, saved: SavedCheckpoint) -> None:
        """Send the announcement of a checkpoint."""
        send(self.pipe, saved)

    def commands(self) -> list[Command]:
        """Return nothing."""
        return []

    def report_edit(self, message: EditMessage) -> None:
        """Send what became of an edit."""
        send(self.pipe, message)

    def has_ending_command(self) -> bool:
        """Return nothing else."""
        return False


def synchronized_time(device: str) -> float:
    """Return the time at which everything asked of the device is done, in seconds."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def make_examples() -> tuple[Tensor, Tensor]:
    """Return the examples: x (rows, features) and y (rows)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, FEATURES, generator=generator)
    return x, torch.randint(CLASSES, (ROWS,), generator=generator)


def make_network() -> nn.Module:
    """Return a new network as people write it."""
    return nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))


def bare_loop(steps: int, device: str) -> float:
    """Step on one batch, again and again."""
    torch.use_deterministic_algorithms(False)
    x, y = (column[:BATCH].to(device) for column in make_examples())
    trained, loss_of = make_network().to(device), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(trained.parameters(), lr=LR, fused=True)
    began = synchronized_time(device)
    for _ in range(steps):
        loss_of(trained(x), y).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return (synchronized_time(device) - began) / steps


def dataloader_loop(steps: int, device: str) -> float:
    """Train as people write it by hand."""
    torch.use_deterministic_algorithms(False)
    loader = DataLoader(TensorDataset(*make_examples()), BATCH, shuffle=True)
    trained, loss_of = make_network().to(device), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(trained.parameters(), lr=LR, fused=True)
    losses: list[float] = []
    began = synchronized_time(device)
    while len(losses) < steps:
        for x, y in loader:
            optimizer.zero_grad()
            loss = loss_of(trained(x.to(device)), y.to(device))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                break
    return (synchronized_time(device) - began) / steps


@dataclass(frozen=True)
class GraftwerkLoop:
    """The service's loop, in an attempt like those of a worker."""

    folder: Path
    pipe: Connection
    device: str
    spec: ClassVar[Mapping[str, Any]] = SPEC

    def __call__(self, steps: int) -> float:
        """Prepare an attempt, and time its loop alone."""
        store = open_store(str(self.folder / "store"), {})
        spec = {**self.spec, "training": self.spec["training"] | {"steps": steps, "device": self.device}}
        assignment = Assignment(
            job_id="job_bench",
            fence=time.monotonic_ns(),
            spec=spec,
            data_schema=SCHEMA.model_dump(mode="json"),
            store_url="",
            data_root="",
            dataset=DatasetRef({"kind": "upload", "format": "npz"}, self.store_examples()),
        )
        with tempfile.TemporaryDirectory(dir=self.folder) as workdir:
            prepared = prepare(assignment, store, ConnectionContext(self.pipe), Path(workdir))
            began = synchronized_time(self.device)
            outcome = train(prepared)
            seconds = synchronized_time(self.device) - began
        if outcome.ending is not Ending.SUCCEEDED:
            raise SystemExit(f"the training {outcome.ending}")
        return seconds / steps

    def store_examples(self) -> str:
        """Return the key of the examples in the store, where they are put if they are not there."""
        path = self.folder / "examples.npz"
        if not path.exists():
            x, y = make_examples()
            np.savez(path, x=x.numpy(), y=y.numpy())
        return open_store(str(self.folder / "store"), {}).put_file("examples.npz", path).key


def measure_variants(variants: Mapping[str, Variant], rounds: int, steps: int) -> dict[str, list[float]]:
    """Return the seconds of a step by variant, one for every round."""
    for variant in variants.values():
        variant(WARMUP_STEPS)
    names = list(variants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            seconds[name].append(variants[name](steps))
    return seconds


def main() -> None:
    """Measure and write results/step_overhead.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="trainings of every variant")
    parser.add_argument("--steps", type=int, default=2000, help="steps of a training")
    parser.add_argument("--lightning-python", type=Path, help="an interpreter that has the package lightning")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    device: str = options.device
    torch.set_num_threads(1)
    with ExitStack() as stack:
        pipe = stack.enter_context(drained_pipe())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graftwerk-bench-")))
        variants: dict[str, Variant] = {
            "bare": lambda steps: bare_loop(steps, device),
            "loop": GraftwerkLoop(folder, pipe, device),
            "dataloader": lambda steps: dataloader_loop(steps, device),
        }
        versions = {}
        if options.lightning_python is not None:
            running = stack.enter_context(run_lightning(options.lightning_python))
            variants["lightning"] = lambda steps: running.ask(steps)["seconds"] / steps
            versions["lightning"] = running.release
        seconds = measure_variants(variants, options.rounds, options.steps)

    def ratio(over: str, under: str) -> float:
        return round(median(one / two for one, two in zip(seconds[over], seconds[under], strict=True)), 3)

    ratios = {
        "loop / bare": (ratio("loop", "bare"), 1.2, True),
        "DataLoader / loop": (ratio("dataloader", "loop"), 1.6, False),
    }
    if "lightning" in seconds:
        ratios["Lightning / loop"] = (ratio("lightning", "loop"), 4.0, False)
    where = "on a GPU, " if device == "cuda" else ""
    claims = [
        {
            "what": f"a training step, {where}{name}, median",
            "measured": value,
            "unit": "times",
            "bound": bound,
            "at_most": at_most,
        }
        for name, (value, bound, at_most) in ratios.items()
    ]
    result = {
        "step_ms": {name: summarize_times(each) for name, each in seconds.items()},
        "ratios": {name: value for name, (value, _, _) in ratios.items()},
        **versions,
        **({"gpu": torch.cuda.get_device_name()} if device == "cuda" else {}),
    }
    write_results("step_overhead" if device == "cpu" else "step_overhead_cuda", result, claims)


if __name__ == "__main__":
    main()
