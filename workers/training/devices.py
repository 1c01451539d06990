"""The device and the precision of a training, determinism, and seeds."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from app.errors import BuildError

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
CPU_RESIDENT_BYTES = 4 << 30  # bytes of prepared examples that may stay in memory

Forward = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]


def available_devices() -> list[str]:
    """Return the kinds of devices of this machine, best first."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [kind for kind, is_there in found.items() if is_there]


def select_device(name: str) -> torch.device:
    """Return the device for `auto`, `cpu`, `cuda` or `mps`. Raises `BuildError` if this machine does not have it."""
    available = available_devices()
    if name == "auto":
        name = available[0]
    if name not in available:
        others = " or ".join(f'"{kind}"' for kind in available)
        hint = f'use {others} or "auto", or a queue whose workers have one'
        raise BuildError(f"this worker has no {name} device", pointer="/training/device", hint=hint)
    return torch.device(name, 0) if name == "cuda" else torch.device(name)


def set_determinism(deterministic: bool) -> None:
    """Set torch's determinism: the same bits every time as far as the device's operations allow, or speed."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it at its first call
    # Operations without a deterministic variant only warn: failing for a pooling would be worse.
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    # Filling costs a pass over every new tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic
    warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")


@contextmanager
def allow_nondeterminism() -> Iterator[None]:
    """Allow nondeterministic operations, for counting: sums of integers do not depend on their order.

    Without it torchmetrics compares every row with every pair of classes, which takes gigabytes for a thousand classes.
    """
    allowed, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(allowed, warn_only=warn_only)


def seed_step(seed: int, device: torch.device) -> None:
    """Seed torch's generators of the CPU and the device, so that the dropout of a step is a function of its seed."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def max_resident_bytes(device: torch.device) -> int:
    """Return how many bytes of examples may be held on the device: half of the free memory on a GPU."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    return CPU_RESIDENT_BYTES


@dataclass(frozen=True)
class Precision:
    """float32, or mixed precision with bf16 or fp16 (which scales the loss, or small gradients would become 0)."""

    device: torch.device
    name: str = "float32"

    def autocast(self, network: Forward) -> Forward:
        """Return the forward pass of a network in this precision; in float32 the network itself."""
        if self.name == "float32":
            return network

        def forward(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
            with torch.autocast(self.device.type, DTYPES[self.name]):
                return network(inputs)

        return forward

    def scaler(self) -> GradScaler | None:
        """Return the loss scaler for fp16, else `None`. Raises `BuildError` for fp16 on a CPU."""
        if self.name != "fp16":
            return None
        if self.device.type == "cpu":
            raise BuildError("fp16 needs a GPU", pointer="/training/precision", hint='use "bf16" or "float32"')
        return GradScaler(self.device.type)
