"""Small trainings and an inspection that a forkserver runs before it forks.

What torch, NumPy and their friends do once, in a process that uses them for the first time, is then done for every
child: kernels are chosen, caches filled, classes inspected, modules imported. A child that trains 90 small steps saves
a quarter of its time, and the pages that were written stay shared.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from app.faultpoints import disarmed
from app.spec.job import named_dataset_schema, parse_job
from app.storage.local import LocalStore
from workers.children import inspect
from workers.children.memory import trim
from workers.protocol.assignment import Assignment
from workers.training.context import MemoryContext
from workers.training.devices import set_determinism
from workers.training.loop import train
from workers.training.prepare import prepare

ACCELERATOR_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # of CUDA, ROCm, and CUDA under Windows


def _job(name: str, layers: Sequence[dict[str, Any]], loss: str, metric: str, optimizer: str) -> dict[str, Any]:
    return {
        "model": {"layers": list(layers)},
        "data": {"kind": "builtin", "name": name, "validation": {"fraction": 0.2}, "test": {"fraction": 0.1}},
        "objective": {"loss": {"kind": loss}, "metrics": [metric]},
        "training": {
            "optimizer": {"kind": optimizer, "lr": 0.01},
            "steps": 2,
            "batch_size": 64,
            "device": "cpu",
            "evaluate": {"every_steps": 1},
            "checkpoint": {"every_steps": 1},
        },
    }


CLASSIFIER = (
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 8},
    {"kind": "ReLU"},
    {"kind": "Linear", "out_features": 10},
)
JOBS = (
    _job("digits", CLASSIFIER, "CrossEntropyLoss", "accuracy", "Adam"),
    _job("diabetes", [{"kind": "Linear", "out_features": 1}], "MSELoss", "mae", "SGD"),
)


def warm_up() -> None:
    """Train and inspect small jobs, on the CPU, with one thread.

    Not where there is an accelerator: the first backward pass asks its driver, which a fork does not survive.
    """
    torch.set_num_threads(1)  # no thread is started, which a fork would lose
    inspect.warm_up()
    Image.preinit()  # the formats of images, otherwise imported with the first of them
    _train_jobs()
    trim()  # what the trainings have freed would stay with the server, beside the pages that its children write anew


def _train_jobs() -> None:
    if sys.platform == "darwin" or any(Path(name).exists() for name in ACCELERATOR_FILES):
        return
    with disarmed(), tempfile.TemporaryDirectory(prefix="graftwerk-") as folder:
        for spec in JOBS:
            _train(spec, Path(folder))
    set_determinism(False)


def _train(spec: dict[str, Any], folder: Path) -> None:
    schema = named_dataset_schema(parse_job(spec))
    assert schema is not None  # noqa: S101 - it is builtin
    assignment = Assignment("job_0", 1, spec, schema.model_dump(mode="json"), str(folder), str(folder), False)
    train(prepare(assignment, LocalStore(folder), MemoryContext(), folder))
