"""What the statistics of a network's inside cost: ``python benchmarks/statistics_cost.py``.

Small networks, of which a step takes least, on one CPU thread: the service's own loop with `training.statistics` as it
is by default, histograms too, beside the same training with `false`. Both train in one process, and take turns of 50
steps, so that a machine whose speed changes from second to second changes both. The time is the processor's, of the
thread that trains. A block is 800 steps of each: its samples are those of a long job, one in 200 steps and every fourth
with histograms. The ratio is the median over blocks; the same training twice without statistics tells how much of a
ratio is noise. The first steps, which are sampled more often, come before the first block. The weights are compared
bit by bit at the end.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from drained_pipe import drained_pipe
from machine import summarize_times, write_results
from step_overhead import ConnectionContext
from torch import Tensor

from app.spec.data.columns import Column, DataSchema
from app.storage.catalog import open_store
from workers.protocol.assignment import Assignment, DatasetRef
from workers.protocol.messages import Command, Ending
from workers.training.loop import train
from workers.training.prepare import prepare

ROWS, CLASSES, BATCH = 3200, 10, 64
WARMUP_STEPS, BLOCK_STEPS, TURN_STEPS = 400, 800, 50
TRAININGS = ("on", "off")
OWN_GRU = Path(__file__).parents[1] / "examples" / "own-gru.json"
MLP = [{"kind": "Linear", "out_features": 128}, "ReLU", {"kind": "Linear", "out_features": CLASSES}]
CNN = [
    {"kind": "Conv2d", "out_channels": 16, "kernel_size": 3, "padding": 1},
    "BatchNorm2d",
    "ReLU",
    {"kind": "MaxPool2d", "kernel_size": 2},
    {"kind": "Conv2d", "out_channels": 32, "kernel_size": 3, "padding": 1},
    "BatchNorm2d",
    "ReLU",
    "Flatten",
    {"kind": "Linear", "out_features": CLASSES},
]
RECURRENT = [{"kind": "GRU", "hidden_size": 32, "returns": "last"}, {"kind": "Linear", "out_features": CLASSES}]
NETWORKS: Mapping[str, tuple[Any, tuple[int, ...]]] = {
    "an MLP 64-128-10": ({"layers": MLP}, (64,)),
    "a CNN of 2 convolutions": ({"layers": CNN}, (1, 8, 8)),
    "a GRU of 32 units": ({"layers": RECURRENT}, (16, 8)),
    "a GRU of single operations, by Scan": (json.loads(OWN_GRU.read_text())["model"], (1, 8, 8)),
}
BOUND = 1.02


def write_examples(folder: Path, shape: tuple[int, ...]) -> str:
    """Put examples x (rows, *shape) and y (rows) into the store, and return their key."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(ROWS, *shape, generator=generator), torch.randint(CLASSES, (ROWS,), generator=generator)
    path = folder / "examples.npz"
    np.savez(path, image=x.numpy(), y=y.numpy())
    return open_store(str(folder / "store"), {}).put_file("examples.npz", path).key


class Baton:
    """Lets one of two threads run at a time, a turn of some steps each, and adds up the processor's time of each."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: str | None = TRAININGS[0]
        self._began = 0.0
        self.seconds: dict[str, list[float]] = {name: [] for name in TRAININGS}  # by turn

    def take(self, name: str) -> None:
        """Wait for the first turn."""
        with self._changed:
            self._changed.wait_for(lambda: self._running == name)
        self._began = time.thread_time()

    def hand_over(self, name: str) -> None:
        """End a turn, and wait for the next one."""
        self.seconds[name].append(time.thread_time() - self._began)
        with self._changed:
            self._running = next(other for other in TRAININGS if other != name)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._running == name)
        self._began = time.thread_time()

    def leave(self, name: str) -> None:
        """End the last turn."""
        self.seconds[name].append(time.thread_time() - self._began)
        with self._changed:
            self._running = next(other for other in TRAININGS if other != name)
            self._changed.notify_all()


@dataclass(frozen=True)
class TurnContext(ConnectionContext):
    """The context of one of two trainings: it hands the baton over when it has been asked for commands often enough."""

    baton: Baton
    name: str
    step: Iterator[int] = field(default_factory=count)

    def commands(self) -> list[Command]:
        """Return nothing, after the other training's turn."""
        step = next(self.step)  # the loop asks before every one
        if step and step % TURN_STEPS == 0:
            self.baton.hand_over(self.name)
        return []


class Comparison:
    """One network, trained twice at once."""

    def __init__(self, folder: Path, pipe: Connection, model: Any, shape: tuple[int, ...]) -> None:
        self._folder, self._pipe, self._model = folder, pipe, model
        columns = (
            Column(name="image", shape=shape, dtype="float32"),
            Column(name="y", shape=(), dtype="int64", classes=CLASSES),
        )
        self._schema = DataSchema(columns=columns, rows={"train": ROWS}, inputs=("image",), target="y")
        self._key = write_examples(folder, shape)

    def ratios(self, blocks: int, statistics: Any) -> tuple[list[float], list[float], list[float]]:
        """Return the ratios of blocks with `statistics` to blocks without, and the seconds of a step with and without.

        Exits if the weights differ.
        """
        baton, steps = Baton(), WARMUP_STEPS + blocks * BLOCK_STEPS
        with ThreadPoolExecutor(2) as threads:
            plans = zip(TRAININGS, (statistics, False), strict=True)
            ends = [threads.submit(self._train, baton, name, steps, plan) for name, plan in plans]
            weights = [end.result() for end in ends]
        if not all(map(torch.equal, *weights)):
            raise SystemExit("the weights differ")
        on, off = (_by_block(baton.seconds[name], blocks) for name in TRAININGS)
        ratios = [one / two for one, two in zip(on, off, strict=True)]
        return ratios, [each / BLOCK_STEPS for each in on], [each / BLOCK_STEPS for each in off]

    def _train(self, baton: Baton, name: str, steps: int, statistics: Any) -> list[Tensor]:
        """Train in this thread, turn by turn; return the weights."""
        torch.set_num_threads(1)  # holds for a thread
        baton.take(name)
        try:
            store = open_store(str(self._folder / "store"), {})
            with tempfile.TemporaryDirectory(dir=self._folder) as workdir:
                context = TurnContext(self._pipe, baton, name)
                prepared = prepare(self._assignment(steps, statistics), store, context, Path(workdir))
                outcome = train(prepared)
        finally:
            baton.leave(name)
        if outcome.ending is not Ending.SUCCEEDED:
            raise SystemExit(f"the training {outcome.ending}")
        return [value.clone() for value in prepared.network.state_dict().values()]

    def _assignment(self, steps: int, statistics: Any) -> Assignment:
        plan = {"optimizer": {"kind": "Adam"}, "batch_size": BATCH, "steps": steps, "device": "cpu"}
        return Assignment(
            job_id="job_bench",
            fence=time.monotonic_ns(),
            spec={
                "model": self._model,
                "data": {"kind": "dataset", "id": "ds_" + "0" * 32},
                "objective": {"loss": {"kind": "CrossEntropyLoss"}},
                "training": plan | {"statistics": statistics},
            },
            data_schema=self._schema.model_dump(mode="json"),
            store_url="",
            data_root="",
            dataset=DatasetRef({"kind": "upload", "format": "npz"}, self._key),
        )


def _by_block(turns: Sequence[float], blocks: int) -> list[float]:
    """Return the seconds of every block, of the turns after the first steps."""
    first, each = WARMUP_STEPS // TURN_STEPS, BLOCK_STEPS // TURN_STEPS
    return [sum(turns[first + each * block : first + each * (block + 1)]) for block in range(blocks)]


def main() -> None:
    """Measure and write results/statistics_cost.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=15, help=f"of {BLOCK_STEPS} steps, of every network")
    blocks = parser.parse_args().blocks
    found, noise, times = {}, {}, {}
    with drained_pipe() as pipe:
        for name, (model, shape) in NETWORKS.items():
            with tempfile.TemporaryDirectory(prefix="graftwerk-bench-") as folder:
                comparison = Comparison(Path(folder), pipe, model, shape)
                same, _, _ = comparison.ratios(max(1, blocks // 3), False)
                ratios, on, off = comparison.ratios(blocks, {})
            found[name], noise[name] = round(median(ratios), 4), round(median(same), 4)
            times[name] = {"on": summarize_times(on), "off": summarize_times(off)}
            print(f"{name}: {found[name]} (the same twice: {noise[name]})", flush=True)
    claims = [
        {
            "what": f"a training step with statistics / without, {name}, median",
            "measured": ratio,
            "unit": "times",
            "bound": BOUND,
            "at_most": True,
        }
        for name, ratio in found.items()
    ]
    result = {"step_ms": times, "same_twice": noise, "block_steps": BLOCK_STEPS, "blocks": blocks}
    write_results("statistics_cost", result, claims)


if __name__ == "__main__":
    main()
