"""What every process that uses torch imports first: torchvision's missing operators, and what a warm parent loads.

torchvision beside a CPU-only wheel of torch fails to import, because its own library cannot be loaded and its Python
code describes operators that are then missing. Declaring those makes transforms, networks and data sets work.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

OPERATORS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

# What an attempt imports before its first step; torch itself imports most of these lazily, at a second or more.
PRELOAD_MODULES = [
    "workers.torch_setup",
    "torch",
    "torch._dynamo",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.nn.utils.rnn",
    "safetensors.torch",
    "app.storage.open",
    "workers.data.loading.batches",
    "workers.data.loading.sampler",
    "workers.data.loading.sources",
    "workers.data.loading.examples",
    "workers.exports.weights",
    "workers.children.server",
    "workers.network.runtime.build",
    "workers.network.codegen.source",
    "workers.runner.main",
    "workers.training.context",
    "workers.training.devices",
    "workers.training.loop",
    "workers.training.objective.losses",
    "workers.training.metrics.metrics",
    "workers.training.optim.optimizers",
    "workers.training.prepare",
    "workers.training.optim.learning_rate",
    "workers.training.optim.schedules",
]


def preload() -> None:
    """Import everything in `PRELOAD`; raises `ImportError` where a module is missing: no server is half warm."""
    for name in PRELOAD_MODULES:
        import_module(name)


def declare_missing_operators() -> None:
    """Declare torchvision's operators where its own library cannot be loaded. Harmless when called again."""
    found = find_spec("torchvision")
    if found is None or found.origin is None or _load_library(Path(found.origin).parent):
        return
    for name, signature in OPERATORS.items():
        if getattr(torch.ops.torchvision, name, None) is None:
            torch.library.define(f"torchvision::{name}", signature)


def _load_library(folder: Path) -> bool:
    for library in folder.glob("_C*.so"):
        try:
            torch.ops.load_library(library)
        except OSError:
            continue
        return True
    return False


declare_missing_operators()
