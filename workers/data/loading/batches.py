"""Batches of the rows that a sampler draws, gathered many at a time from memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.data.columns import PreparedColumn
from workers.data.images.mixing import Mixing
from workers.data.loading.batch_source import BatchSource, WeightedBatch
from workers.data.loading.examples import ExampleSet
from workers.data.loading.sampler import Sampler
from workers.data.rng import prng_keys

GATHER_BYTES = 1 << 20  # bytes gathered at once: for small batches a gather each would cost more than views of a block


def row_keys(rows: ExampleSet, sampler: Sampler, step: int, indices: Tensor, batch: int = 0) -> Tensor | None:
    """Return the keys of the random numbers of rows, from batch `batch` of a step on: int64 (indices).

    `None` if rows have no images.
    """
    if not rows.image_columns:
        return None
    return prng_keys(sampler.seed, sampler.position(step)[0], sampler.draw_numbers(step, batch, indices))


@dataclass
class SampledBatches(BatchSource):
    """Batches of the rows that a sampler draws for a step: a function of (seed, epoch, step), without state."""

    rows: ExampleSet
    sampler: Sampler
    device: torch.device
    mixing: Mixing | None = None

    @property
    def targets(self) -> Mapping[str, PreparedColumn]:
        """The targets of all rows; of mixed ones without rows."""
        return self.rows.targets if self.mixing is None else self.mixing.targets(self.rows.targets)

    def gather(self, step: int, decoded: Sequence[Sequence[Tensor]] = ()) -> list[WeightedBatch]:
        """Return the batches of a step; `decoded` are the images of each of them, if they have been decoded already."""
        batches: list[WeightedBatch] = []
        for number, (indices, share) in enumerate(self.sampler.batches(step)):
            keys = row_keys(self.rows, self.sampler, step, indices, number)
            inputs, targets = self.rows.batch(indices, self.device, keys, decoded[number] if decoded else ())
            batches.append((inputs, targets, share))
        return self.mix(step, batches)

    def mix(self, step: int, batches: list[WeightedBatch]) -> list[WeightedBatch]:
        """Return the batches of a step, mixed if the job mixes images."""
        if self.mixing is None:
            return batches
        return [
            (*self.mixing(step, number, inputs, targets), share)
            for number, (inputs, targets, share) in enumerate(batches)
        ]


@dataclass
class InMemoryBatches(SampledBatches):
    """Batches from memory, gathered for many steps at once if rows have one shape; these are a cache, not state."""

    _cache: dict[int, list[WeightedBatch]] = field(default_factory=dict)  # by step

    def batches(self, step: int) -> list[WeightedBatch]:
        """Return the batches of optimizer step `step` (from 0)."""
        if step not in self._cache:
            self._cache = self._gather_steps(step)
        return self._cache[step]

    def _gather_steps(self, first: int) -> dict[int, list[WeightedBatch]]:
        """Return the batches of a step and of those after it: as many as a block holds, up to the epoch's end."""
        if not self.rows.is_dense:  # each batch is as long as its own longest row, or comes from files
            return {first: self.gather(first)}
        size = self.sampler.batch_size * self.sampler.accumulate
        count = max(1, GATHER_BYTES * len(self.rows) // (self.rows.size() * size))
        rest = self.sampler.steps_per_epoch - self.sampler.position(first)[1]  # of the epoch
        steps = range(first, first + min(count, rest))
        batches = [(step, *bounds) for step in steps for bounds in self.sampler.bounds(step)]
        sizes = [end - begin for _, begin, end, _ in batches]
        rows = self.sampler.order(first)[batches[0][1] : batches[-1][2]]
        inputs, targets = self.rows.batch(rows, self.device, row_keys(self.rows, self.sampler, first, rows))
        columns = [column.split(sizes) for column in (*inputs.values(), *targets.values())]
        split = len(inputs)
        gathered: dict[int, list[WeightedBatch]] = {step: [] for step in steps}
        for (step, _, _, share), *parts in zip(batches, *columns, strict=True):
            gathered[step].append(
                (dict(zip(inputs, parts[:split], strict=True)), dict(zip(targets, parts[split:], strict=True)), share)
            )
        return {step: self.mix(step, each) for step, each in gathered.items()}
