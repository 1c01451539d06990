"""The examples of every step: a function of (seed, epoch, step), so that there is no state to store."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from workers.data.loading.epochs import FIRST_EPOCH, EpochOrigin, Epochs
from workers.data.rng import stream_seed

BUCKET_WINDOW = 50  # batches among which rows are sorted by length: more need less padding, and shuffle less
BUCKET_STREAM = 0xB0C4E7  # keeps the random order of batches apart from that of rows


def epoch_permutation(seed: int, epoch: int, rows: int) -> Tensor:
    """Return the order of an epoch: int64 (rows), on the CPU."""
    generator = torch.Generator().manual_seed(stream_seed(seed, epoch))
    return torch.randperm(rows, generator=generator)


def weighted_draws(seed: int, epoch: int, weights: Tensor, count: int, replacement: bool) -> Tensor:
    """Return the rows of an epoch, drawn by their weights: int64 (count), on the CPU.

    They are those of torch's `WeightedRandomSampler` with the generator of the epoch.
    """
    generator = torch.Generator().manual_seed(stream_seed(seed, epoch))
    return torch.multinomial(weights, count, replacement, generator=generator)


def draw_ranks(order: Tensor) -> Tensor:
    """Return how many times before each place its row stands in an order: int64 (places)."""
    places = order.argsort(stable=True)
    rows, numbers = order[places], torch.arange(len(order))
    is_same = torch.cat([torch.zeros(1, dtype=torch.bool), rows.diff() == 0])[: len(order)]
    ranks = torch.empty_like(order)
    ranks[places] = numbers - numbers.masked_fill(is_same, 0).cummax(0).values
    return ranks


def bucketed_permutation(
    seed: int, epoch: int, lengths: Tensor, batch_size: int, order: Tensor | None = None
) -> Tensor:
    """Return the order of an epoch whose batches hold rows of similar length: int64 (rows), on the CPU.

    Rows are shuffled (or in the random `order` that is given), then sorted by length within windows of `BUCKET_WINDOW`
    batches, then whole batches are shuffled. The rows beyond the last full batch stay at the end.
    """
    order = epoch_permutation(seed, epoch, len(lengths)) if order is None else order
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


@dataclass
class Sampler(Epochs):
    """The rows of every optimizer step, which takes up to `accumulate` batches of one epoch.

    The order of the latest epoch, on `device`, is a cache, not state. With `weights`, float64 (rows of the data) on the
    CPU, `rows` are drawn in an epoch, with replacement or without. With `lengths`, int64 (rows) on the CPU, batches
    hold rows of similar length. The steps before `origin` were those of a sampler with another length of epochs.
    """

    seed: int
    rows: int
    batch_size: int
    accumulate: int = 1
    drop_last: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    lengths: Tensor | None = None
    origin: EpochOrigin = FIRST_EPOCH
    weights: Tensor | None = None
    replacement: bool = True
    _epoch: int = -1
    _order: Tensor = field(default_factory=lambda: torch.empty(0))
    _ranks: Tensor | None = None  # of the draws of the latest epoch, where a row may stand several times

    @cached_property
    def batches_per_epoch(self) -> int:
        """The number of batches of an epoch."""
        return batches_per_epoch(self.rows, self.batch_size, self.drop_last)

    @cached_property
    def steps_per_epoch(self) -> int:
        """The number of optimizer steps of an epoch; the last one may take fewer batches."""
        return -(-self.batches_per_epoch // self.accumulate)

    def batches(self, step: int) -> Iterator[tuple[Tensor, float]]:
        """Yield the rows of each batch of step `step` (from 0), int64, and its share of the step's examples."""
        order = self.order(step)
        for begin, end, share in self.bounds(step):
            yield order[begin:end], share

    def bounds(self, step: int) -> Iterator[tuple[int, int, float]]:
        """Yield where each batch of a step begins and ends in `order`, and its share of the step's examples."""
        size = self.batch_size
        first = self.position(step)[1] * self.accumulate
        last = min(first + self.accumulate, self.batches_per_epoch)
        total = min(last * size, self.rows) - first * size
        for batch in range(first, last):
            begin, end = batch * size, min((batch + 1) * size, self.rows)
            yield begin, end, (end - begin) / total

    def order(self, step: int) -> Tensor:
        """Return the rows of the epoch of a step, in order: int64 (rows)."""
        self._load_epoch(self.position(step)[0])
        return self._order

    def draw_numbers(self, step: int, batch: int, indices: Tensor) -> Tensor:
        """Return a number for each drawn row, from batch `batch` of a step on: int64 (indices).

        It is the row itself; of the k-th further draw of a row in its epoch, the row and k times the rows of the data.
        """
        if self.weights is None or not self.replacement:
            return indices
        order = self.order(step)
        if self._ranks is None:
            self._ranks = draw_ranks(order.cpu()).to(self.device)
        first = (self.position(step)[1] * self.accumulate + batch) * self.batch_size
        return indices + self._ranks[first : first + len(indices)] * len(self.weights)

    def _load_epoch(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._order, self._epoch, self._ranks = self._epoch_order(epoch).to(self.device), epoch, None

    def _epoch_order(self, epoch: int) -> Tensor:
        order = None
        if self.weights is not None:
            order = weighted_draws(self.seed, epoch, self.weights, self.rows, self.replacement)
        if self.lengths is not None:
            return bucketed_permutation(self.seed, epoch, self.lengths, self.batch_size, order)
        return epoch_permutation(self.seed, epoch, self.rows) if order is None else order
