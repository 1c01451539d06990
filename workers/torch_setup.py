"""Setup of torch, which every process that uses it imports first: torchvision's operators, and modules to preload.

torchvision fails to import with a CPU-only wheel of torch: its C++ library cannot be loaded, and its Python code
refers to operators of that library. Declaring them makes transforms, networks and data sets work.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

OUT_OF_MEMORY_MESSAGES = ("can't allocate memory", "out of memory")  # parts of torch's messages

OPERATORS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

# Modules that an attempt imports before its first step; torch imports most of its own lazily, which takes a second.
PRELOAD_MODULES = [
    "encodings.ascii",
    "encodings.cp437",  # of names in archives
    "workers.torch_setup",
    "torch",
    "torch._dynamo",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.nn.utils.rnn",
    "safetensors.torch",
    "app.storage.catalog",
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


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that memory ran out: torch has no class for it on a CPU, and one of its own on MPS."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY_MESSAGES)


def preload() -> None:
    """Import all `PRELOAD_MODULES`. Raises `ImportError` if one is missing."""
    for name in PRELOAD_MODULES:
        import_module(name)


def declare_missing_operators() -> None:
    """Declare torchvision's operators if its own library cannot be loaded. Idempotent."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None or _load_library(Path(spec.origin).parent):
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
