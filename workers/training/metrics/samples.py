"""Every k-th of the rows that are added, so that at most a million numbers are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

MAX_SAMPLED_NUMBERS = 1 << 20


@dataclass
class StridedSample:
    """Columns of tensors, all (rows, …), of which rows 0, k, 2k, … are kept; k is a power of two.

    The numbers in the first column are bounded.
    """

    stride: int = 1
    count: int = 0  # rows that were offered
    _parts: list[tuple[Tensor, ...]] = field(default_factory=list)

    def chosen(self, rows: int) -> slice:
        """Return which of the next `rows` rows are kept."""
        return slice(-self.count % self.stride, rows, self.stride)

    def add(self, rows: int, columns: Sequence[Tensor]) -> None:
        """Take the next `rows` rows, of which the columns hold the `chosen` ones."""
        self.count += rows
        self._parts.append(tuple(columns))
        while sum(part[0].numel() for part in self._parts) > MAX_SAMPLED_NUMBERS and len(self) > 1:
            self._parts, self.stride = [tuple(column[::2] for column in self.columns())], 2 * self.stride

    def __len__(self) -> int:
        return sum(len(part[0]) for part in self._parts)

    def columns(self) -> tuple[Tensor, ...]:
        """Return the rows that are kept; nothing if none were added."""
        return tuple(torch.cat(parts) for parts in zip(*self._parts, strict=True))
