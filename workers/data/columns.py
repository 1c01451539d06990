"""Columns in memory: as they are stored, and as batches are gathered from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from workers.data.images.column import ImageColumn


@dataclass(frozen=True)
class RaggedTensor:
    """Rows of different lengths, concatenated: row i is values[offsets[i]:offsets[i + 1]].

    A batch is padded with `pad` to its longest row, and at least to `min_length`. `truncated_count` is the number of
    rows that were longer.
    """

    values: Tensor  # (sum of all lengths, …)
    offsets: Tensor  # int64 (rows + 1)
    pad: float = 0.0
    min_length: int = 1
    truncated_count: int = 0

    @classmethod
    def from_rows(
        cls, rows: Sequence[Tensor], pad: float = 0.0, min_length: int = 1, truncated_count: int = 0
    ) -> "RaggedTensor":
        """Return a column of at least one row, each (length, …), equal in shape but for the length."""
        lengths = torch.tensor([0, *map(len, rows)])
        return cls(torch.cat(list(rows)), lengths.cumsum(0), pad, min_length, truncated_count)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        """The length of every row: int64 (rows)."""
        return self.offsets.diff()

    @property
    def device(self) -> torch.device:
        """The device of the values."""
        return self.values.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the values."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.values.nbytes + self.offsets.nbytes

    def is_floating_point(self) -> bool:
        """Return whether the values are floating-point numbers."""
        return self.values.is_floating_point()

    def index_select(self, dim: int, indices: Tensor) -> Tensor:
        """Return these rows as a batch (len(indices), longest row, …); `dim` is 0, as for a tensor."""
        starts, lengths = self.offsets[indices], self.lengths[indices]
        longest = max(self.min_length, int(lengths.max())) if len(indices) else self.min_length
        positions = torch.arange(longest, device=self.device)
        mask = positions < lengths.unsqueeze(1)
        if not len(self.values):
            return self.values.new_full((len(indices), longest, *self.values.shape[1:]), self.pad)
        sources = (starts.unsqueeze(1) + positions).clamp(max=len(self.values) - 1)
        batch = self.values[sources]
        return torch.where(mask.reshape(*mask.shape, *[1] * (batch.ndim - 2)), batch, self.pad).to(batch.dtype)

    def __getitem__(self, rows: slice) -> Tensor:
        """Return consecutive rows as a batch."""
        return self.index_select(0, torch.arange(len(self), device=self.device)[rows])

    def take(self, indices: Tensor) -> "RaggedTensor":
        """Return a column of these rows."""
        lengths = self.lengths[indices]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        within = torch.arange(int(offsets[-1]), device=self.device) - offsets[:-1].repeat_interleave(lengths)
        values = self.values[self.offsets[indices].repeat_interleave(lengths) + within]
        return replace(self, values=values, offsets=offsets)

    def truncate(self, max_length: int, min_length: int) -> "RaggedTensor":
        """Return a column of rows truncated to `max_length`; empty rows become one time step of zeros."""
        lengths = self.lengths
        new_lengths = lengths.clamp(1, max_length)
        offsets = torch.cat([new_lengths.new_zeros(1), new_lengths.cumsum(0)])
        within = torch.arange(int(offsets[-1])) - offsets[:-1].repeat_interleave(new_lengths)
        sources = self.offsets[:-1].repeat_interleave(new_lengths) + within
        mask = (within < lengths.repeat_interleave(new_lengths)).reshape(-1, *[1] * (self.values.ndim - 1))
        row = self.values.new_zeros((1, *self.values.shape[1:]))  # a source for an empty last row
        values = torch.where(mask, torch.cat([self.values, row])[sources], 0)
        return RaggedTensor(values, offsets, 0.0, min_length, int((lengths > max_length).sum()))

    def to(self, device: torch.device | torch.dtype) -> "RaggedTensor":
        """Return the same rows on a device, or of a dtype."""
        offsets = self.offsets.to(device) if isinstance(device, torch.device) else self.offsets
        return replace(self, values=self.values.to(device), offsets=offsets)


@dataclass(frozen=True)
class WindowTensor:
    """Windows of rows: example i is rows[starts[i]:starts[i] + length]. Rows of many windows are stored once."""

    rows: Tensor  # (rows, …), in order of time
    starts: Tensor  # int64 (examples)
    length: int

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def device(self) -> torch.device:
        """The device of the rows."""
        return self.rows.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the rows."""
        return self.rows.dtype

    @property
    def nbytes(self) -> int:
        """The size in bytes of all windows, as batches have them."""
        return len(self) * self.length * self.rows[:1].nbytes

    def is_floating_point(self) -> bool:
        """Return whether the rows are floating-point numbers."""
        return self.rows.is_floating_point()

    def index_select(self, dim: int, indices: Tensor) -> Tensor:
        """Return these windows as a batch (len(indices), length, …); `dim` is 0, as for a tensor."""
        positions = self.starts[indices].unsqueeze(1) + torch.arange(self.length, device=self.device)
        return self.rows[positions]

    def __getitem__(self, examples: slice) -> Tensor:
        """Return consecutive windows as a batch."""
        return self.index_select(0, torch.arange(len(self), device=self.device)[examples])

    def to(self, device: torch.device | torch.dtype) -> "WindowTensor":
        """Return the same windows on a device, or of a dtype."""
        starts = self.starts.to(device) if isinstance(device, torch.device) else self.starts
        return replace(self, rows=self.rows.to(device), starts=starts)


class LazyColumn(Protocol):
    """Rows that are read on demand, such as images in files."""

    def __len__(self) -> int: ...

    def take(self, indices: Tensor) -> "LazyColumn":
        """Return a column of these rows."""
        ...


PreparedColumn = Tensor | RaggedTensor | WindowTensor | ImageColumn  # what batches are gathered from
StringColumn = Sequence[str | None]  # text, category
WordListColumn = Sequence[Sequence[str]]  # words
Tree = Mapping[str, object]  # {"label": str, "children": [trees]}; no children: a leaf
ParsedColumn = (
    Tensor | RaggedTensor | StringColumn | WordListColumn | Sequence[Tree | None] | LazyColumn
)  # what a source holds
SplitColumns = Mapping[str, ParsedColumn]  # the columns of one split by name, all with the same number of rows


def slice_rows(column: ParsedColumn, start: int, stop: int) -> ParsedColumn:
    """Return a stored column with consecutive rows alone."""
    if isinstance(column, Tensor | Sequence):
        return column[start:stop]
    return column.take(torch.arange(start, stop))


def select_rows(column: ParsedColumn, rows: Tensor) -> ParsedColumn:
    """Return a stored column with these rows alone; `rows` is int64."""
    if isinstance(column, Tensor):
        return column[rows]
    if isinstance(column, Sequence):
        return [column[row] for row in rows.tolist()]
    return column.take(rows)
