"""Columns in memory: as they are stored, and as batches are cut from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from workers.data.images.column import ImageColumn


@dataclass(frozen=True)
class RaggedTensor:
    """Rows of unlike length, one behind the other: row i is values[offsets[i]:offsets[i + 1]].

    A batch of them is padded with `pad` to its longest row, and to `least`. `cut` counts rows that have lost their end.
    """

    values: Tensor  # (all lengths together, …)
    offsets: Tensor  # int64 (rows + 1)
    pad: float = 0.0
    min_length: int = 1
    truncated_count: int = 0

    @classmethod
    def from_rows(cls, rows: Sequence[Tensor], pad: float = 0.0, least: int = 1, cut: int = 0) -> "RaggedTensor":
        """Return rows of (length, …), which are alike but for their length. There is at least one."""
        lengths = torch.tensor([0, *map(len, rows)])
        return cls(torch.cat(list(rows)), lengths.cumsum(0), pad, least, cut)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        """The length of every row: int64 (rows)."""
        return self.offsets.diff()

    @property
    def device(self) -> torch.device:
        """Where the values lie."""
        return self.values.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the values."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.values.nbytes + self.offsets.nbytes

    def is_floating_point(self) -> bool:
        """Say whether the values are floating-point numbers."""
        return self.values.is_floating_point()

    def index_select(self, dim: int, indices: Tensor) -> Tensor:
        """Return these rows as a batch (len(indices), longest of them, …); `dim` is 0, as for a tensor."""
        starts, lengths = self.offsets[indices], self.lengths[indices]
        longest = max(self.min_length, int(lengths.max())) if len(indices) else self.min_length
        moments = torch.arange(longest, device=self.device)
        there = moments < lengths.unsqueeze(1)
        if not len(self.values):
            return self.values.new_full((len(indices), longest, *self.values.shape[1:]), self.pad)
        places = (starts.unsqueeze(1) + moments).clamp(max=len(self.values) - 1)
        batch = self.values[places]
        return torch.where(there.reshape(*there.shape, *[1] * (batch.ndim - 2)), batch, self.pad).to(batch.dtype)

    def __getitem__(self, rows: slice) -> Tensor:
        """Return consecutive rows as a batch."""
        return self.index_select(0, torch.arange(len(self), device=self.device)[rows])

    def take(self, indices: Tensor) -> "RaggedTensor":
        """Return these rows alone."""
        lengths = self.lengths[indices]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        within = torch.arange(int(offsets[-1]), device=self.device) - offsets[:-1].repeat_interleave(lengths)
        values = self.values[self.offsets[indices].repeat_interleave(lengths) + within]
        return replace(self, values=values, offsets=offsets)

    def truncate(self, most: int, least: int) -> "RaggedTensor":
        """Return rows of at most `most` moments, and at least one, of zeros; batches of them are at least `least`."""
        lengths = self.lengths
        kept = lengths.clamp(1, most)
        offsets = torch.cat([kept.new_zeros(1), kept.cumsum(0)])
        within = torch.arange(int(offsets[-1])) - offsets[:-1].repeat_interleave(kept)
        places = self.offsets[:-1].repeat_interleave(kept) + within
        there = (within < lengths.repeat_interleave(kept)).reshape(-1, *[1] * (self.values.ndim - 1))
        padded = torch.cat([self.values, self.values.new_zeros((1, *self.values.shape[1:]))])  # for an empty last row
        return RaggedTensor(torch.where(there, padded[places], 0), offsets, 0.0, least, int((lengths > most).sum()))

    def to(self, device: torch.device | torch.dtype) -> "RaggedTensor":
        """Return the same rows on a device, or of a type."""
        offsets = self.offsets.to(device) if isinstance(device, torch.device) else self.offsets
        return replace(self, values=self.values.to(device), offsets=offsets)


class LazyColumn(Protocol):
    """Rows that are read when they are needed, such as pictures in files."""

    def __len__(self) -> int: ...

    def take(self, indices: Tensor) -> "LazyColumn":
        """Return these rows alone."""
        ...


PreparedColumn = Tensor | RaggedTensor | ImageColumn  # what batches are cut from
StringColumn = Sequence[str | None]  # text, category: a word or a text per row
WordListColumn = Sequence[Sequence[str]]  # words
Tree = Mapping[str, object]  # {"label": str, "children": [trees]}; no children: a leaf
StoredColumn = (
    Tensor | RaggedTensor | StringColumn | WordListColumn | Sequence[Tree | None] | LazyColumn
)  # what a source holds
SplitColumns = Mapping[str, StoredColumn]  # the columns of one split by name, all with the same number of rows


def select_rows(column: StoredColumn, rows: Tensor) -> StoredColumn:
    """Return some rows of a stored column."""
    if isinstance(column, Tensor):
        return column[rows]
    if isinstance(column, Sequence):
        return [column[row] for row in rows.tolist()]
    return column.take(rows)
