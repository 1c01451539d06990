"""What the statistics of a network's inside cost: ``python benchmarks/statistics_cost.py``.

Small networks, of which a step takes least, on one CPU thread: the service's own loop with `training.statistics` as it
is by default, histograms too, beside the same training with `false`. In every round both train once, in turn, and the
ratio is that of the processor's time of this process, so that other programs count less. Their weights are compared bit
by bit at the end.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from machine import summarize_times, write_results
from step_overhead import ConnectionContext, drain_pipe
from torch import Tensor

from app.spec.data.columns import Column, DataSchema
from app.storage.catalog import open_store
from workers.protocol.assignment import Assignment, DatasetRef
from workers.protocol.messages import Ending
from workers.training.loop import train
from workers.training.prepare import prepare

ROWS, CLASSES, BATCH = 3200, 10, 64
WARMUP_STEPS = 200
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


class Comparison:
    """One network, trained with statistics and without."""

    def __init__(self, folder: Path, pipe: Connection, model: Any, shape: tuple[int, ...]) -> None:
        self._folder, self._pipe, self._model = folder, pipe, model
        columns = (
            Column(name="image", shape=shape, dtype="float32"),
            Column(name="y", shape=(), dtype="int64", classes=CLASSES),
        )
        self._schema = DataSchema(columns=columns, rows={"train": ROWS}, inputs=("image",), target="y")
        self._key = write_examples(folder, shape)

    def train(self, steps: int, statistics: Any) -> tuple[float, list[Tensor]]:
        """Return the processor's seconds of a step, and the weights."""
        plan = {"optimizer": {"kind": "Adam"}, "batch_size": BATCH, "steps": steps, "device": "cpu"}
        assignment = Assignment(
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
        store = open_store(str(self._folder / "store"), {})
        with tempfile.TemporaryDirectory(dir=self._folder) as workdir:
            prepared = prepare(assignment, store, ConnectionContext(self._pipe), Path(workdir))
            began = time.process_time()
            outcome = train(prepared)
            seconds = time.process_time() - began
        if outcome.ending is not Ending.SUCCEEDED:
            raise SystemExit(f"the training {outcome.ending}")
        return seconds / steps, [value.clone() for value in prepared.network.state_dict().values()]

    def measure(self, rounds: int, steps: int) -> dict[str, list[float]]:
        """Return the seconds of a step with statistics ("on") and without ("off"), one of each for every round."""
        self.train(WARMUP_STEPS, {})
        seconds: dict[str, list[float]] = {"on": [], "off": []}
        for turn in range(rounds):
            weights = {}
            for name in ("on", "off") if turn % 2 else ("off", "on"):
                taken, weights[name] = self.train(steps, {} if name == "on" else False)
                seconds[name].append(taken)
            if not all(map(torch.equal, weights["on"], weights["off"])):
                raise SystemExit("the weights differ")
        return seconds


def main() -> None:
    """Measure and write results/statistics_cost.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="trainings with and without, of every network")
    parser.add_argument("--steps", type=int, default=2000, help="steps of a training")
    options = parser.parse_args()
    torch.set_num_threads(1)
    processes = get_context("spawn")
    ours, theirs = processes.Pipe()
    drainer = processes.Process(target=drain_pipe, args=(theirs,), daemon=True)
    drainer.start()
    theirs.close()
    ratios: dict[str, float] = {}
    times = {}
    for name, (model, shape) in NETWORKS.items():
        with tempfile.TemporaryDirectory(prefix="graftwerk-bench-") as folder:
            seconds = Comparison(Path(folder), ours, model, shape).measure(options.rounds, options.steps)
        ratios[name] = round(median(one / two for one, two in zip(seconds["on"], seconds["off"], strict=True)), 4)
        times[name] = {which: summarize_times(each) for which, each in seconds.items()}
    ours.close()
    claims = [
        {
            "what": f"a training step with statistics / without, {name}, median",
            "measured": ratio,
            "unit": "times",
            "bound": BOUND,
            "at_most": True,
        }
        for name, ratio in ratios.items()
    ]
    write_results("statistics_cost", {"step_ms": times, "steps": options.steps}, claims)


if __name__ == "__main__":
    main()
