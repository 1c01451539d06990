"""Batches for the loop, gathered many at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.data.sampler import Sampler
from workers.data.tensors import Rows

BLOCK = 1 << 20  # bytes gathered at once: for small batches a gather each would cost more than views of a block

Batch = tuple[Mapping[str, Tensor], Mapping[str, Tensor], float]  # inputs, targets, share of the step's examples


@dataclass
class Feed:
    """What every optimizer step sees, on a device. The batches it has ready are a cache, not state."""

    rows: Rows
    sampler: Sampler
    device: torch.device
    _ready: dict[int, list[Batch]] = field(default_factory=dict)  # by step

    def batches(self, step: int) -> list[Batch]:
        """Return the batches of optimizer step `step` (from 0)."""
        if step not in self._ready:
            self._ready = self._gathered(step)
        return self._ready[step]

    def _gathered(self, first: int) -> dict[int, list[Batch]]:
        """Return the batches of a step and of those after it: as many as a block holds, up to the epoch's end."""
        if not self.rows.even:  # each batch is as long as its own longest row
            return {first: [(*self.rows.at(indices, self.device), share)
                            for indices, share in self.sampler.batches(first)]}  # fmt: skip
        per_epoch, size = self.sampler.steps_per_epoch, self.sampler.batch_size * self.sampler.accumulate
        most = max(1, BLOCK * len(self.rows) // (self.rows.size() * size))
        steps = range(first, min(first + most, (first // per_epoch + 1) * per_epoch))
        drawn = [(step, indices, share) for step in steps for indices, share in self.sampler.batches(step)]
        sizes = [len(indices) for _, indices, _ in drawn]
        inputs, targets = self.rows.at(torch.cat([indices for _, indices, _ in drawn]), self.device)
        columns = [column.split(sizes) for column in (*inputs.values(), *targets.values())]
        count = len(inputs)
        ready: dict[int, list[Batch]] = {step: [] for step in steps}
        for (step, _, share), *parts in zip(drawn, *columns, strict=True):
            ready[step].append((dict(zip(inputs, parts[:count], strict=True)),
                                dict(zip(targets, parts[count:], strict=True)), share))  # fmt: skip
        return ready
