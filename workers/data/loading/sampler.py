"""The examples of every step: a function of (seed, epoch, step), so that there is no state to store."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.data.rng import stream_seed

BUCKET_WINDOW = 50  # batches among which rows are sorted by length: more need less padding, and shuffle less
BUCKET_STREAM = 0xB0C4E7  # keeps the random order of batches apart from that of rows


def epoch_permutation(seed: int, epoch: int, rows: int) -> Tensor:
    """Return the order of an epoch: int64 (rows), on the CPU."""
    generator = torch.Generator().manual_seed(stream_seed(seed, epoch))
    return torch.randperm(rows, generator=generator)


def bucketed_permutation(seed: int, epoch: int, lengths: Tensor, batch_size: int) -> Tensor:
    """Return the order of an epoch whose batches hold rows of similar length: int64 (rows), on the CPU.

    Rows are shuffled, then sorted by length within windows of `BUCKET_WINDOW` batches, then whole batches are shuffled.
    The rows beyond the last full batch stay at the end.
    """
    order = epoch_permutation(seed, epoch, len(lengths))
    full = len(order) // batch_size * batch_size
    if full == 0:
        return order
    windows = [
        window[lengths[window].argsort(stable=True)] for window in order[:full].split(BUCKET_WINDOW * batch_size)
    ]
    generator = torch.Generator().manual_seed(stream_seed(seed, epoch, BUCKET_STREAM))
    batch_order = torch.randperm(full // batch_size, generator=generator)
    return torch.cat([torch.cat(windows).reshape(-1, batch_size)[batch_order].flatten(), order[full:]])


def batch_indices(seed: int, epoch: int, step: int, *, rows: int, batch_size: int, drop_last: bool = False) -> Tensor:
    """Return the rows of batch `step` (counted from 0 within the epoch): int64 (≤ batch_size)."""
    if not 0 <= step < batches_per_epoch(rows, batch_size, drop_last):
        raise IndexError(f"an epoch of {rows} rows has no batch {step}")
    return epoch_permutation(seed, epoch, rows)[step * batch_size : (step + 1) * batch_size]


def batches_per_epoch(rows: int, batch_size: int, drop_last: bool) -> int:
    """Return the number of batches of an epoch: at least 1, as a batch larger than the data holds all of it."""
    return max(1, rows // batch_size if drop_last else -(-rows // batch_size))


@dataclass(frozen=True, slots=True)
class EpochOrigin:
    """The step and the number of the epoch from which on epochs have their present length."""

    step: int = 0
    epoch: int = 0


@dataclass
class Sampler:
    """The rows of every optimizer step, which takes up to `accumulate` batches of one epoch.

    The order of the latest epoch, on `device`, is a cache, not state. With `lengths`, int64 (rows) on the CPU, batches
    hold rows of similar length. The steps before `origin` were those of a sampler with another length of epochs.
    """

    seed: int
    rows: int
    batch_size: int
    accumulate: int = 1
    drop_last: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    lengths: Tensor | None = None
    origin: EpochOrigin = EpochOrigin()
    _epoch: int = -1
    _order: Tensor = field(default_factory=lambda: torch.empty(0))

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches of an epoch."""
        return batches_per_epoch(self.rows, self.batch_size, self.drop_last)

    @property
    def steps_per_epoch(self) -> int:
        """The number of optimizer steps of an epoch; the last one may take fewer batches."""
        return -(-self.batches_per_epoch // self.accumulate)

    def position(self, step: int) -> tuple[int, int]:
        """Return the epoch of step `step` (both from 0), and the number of the step in it."""
        epochs, position = divmod(step - self.origin.step, self.steps_per_epoch)
        return self.origin.epoch + epochs, position

    def epochs(self, step: int) -> float:
        """Return how many epochs the first `step` steps are."""
        return self.origin.epoch + (step - self.origin.step) / self.steps_per_epoch

    def batches(self, step: int) -> Iterator[tuple[Tensor, float]]:
        """Yield the rows of each batch of step `step` (from 0), int64, and its share of the step's examples."""
        epoch, position = self.position(step)
        if epoch != self._epoch:
            self._order, self._epoch = self._epoch_order(epoch).to(self.device), epoch
        size = self.batch_size
        first = position * self.accumulate
        last = min(first + self.accumulate, self.batches_per_epoch)
        total = min(last * size, self.rows) - first * size
        for batch in range(first, last):
            indices = self._order[batch * size : (batch + 1) * size]
            yield indices, len(indices) / total

    def _epoch_order(self, epoch: int) -> Tensor:
        if self.lengths is None:
            return epoch_permutation(self.seed, epoch, self.rows)
        return bucketed_permutation(self.seed, epoch, self.lengths, self.batch_size)
