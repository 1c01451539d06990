"""One transfer from the device for all numbers of a sample."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor


def accumulation_dtype(device: torch.device) -> torch.dtype:
    """Return the dtype of sums over many values: float64, where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


class Transfer:
    """Collects scalars on a device, by name, and reads all of them at once.

    `take` returns them in the order of `add`.
    """

    def __init__(self, device: torch.device) -> None:
        self._dtype = accumulation_dtype(device)
        self._scalars: dict[str, list[Tensor]] = {}
        self._packed: Tensor | None = None
        self._values: dict[str, list[float]] = {}
        self._taken: dict[str, int] = {}

    def add(self, name: str, scalars: Sequence[Tensor]) -> None:
        """Collect scalars of one dtype."""
        self._scalars.setdefault(name, []).extend(scalars)

    def pack(self) -> None:
        """Put all scalars into one tensor on the device; nothing can be added afterwards."""
        parts = [torch.stack(scalars).to(self._dtype) for scalars in self._scalars.values() if scalars]
        self._packed = torch.cat(parts) if parts else None

    def take(self, name: str, count: int) -> list[float]:
        """Return the next `count` scalars of a name. The first call waits for the device."""
        if not self._values:
            self._read()
        start = self._taken.get(name, 0)
        self._taken[name] = start + count
        return self._values.get(name, [])[start : start + count]

    def _read(self) -> None:
        values = self._packed.tolist() if self._packed is not None else []
        ends = accumulate(map(len, self._scalars.values()))
        self._values = {
            name: values[end - len(scalars) : end]
            for (name, scalars), end in zip(self._scalars.items(), ends, strict=True)
        }
