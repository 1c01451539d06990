"""Entities in lists of tags, counted strictly: an entity is right if its place and its type are.

Tags are B-X, I-X and O. Where the truth begins most entities with B- (IOB2) nothing else begins one; where it begins
them with I-, and keeps B- for one right after another of its type (IOB1), so must a prediction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BEGIN, INSIDE, OUTSIDE = 0, 1, 2


@dataclass(frozen=True)
class SpanCounts:
    """How many entities of each type there are: int64 (types)."""

    types: tuple[str, ...]
    predicted: Tensor
    true: Tensor
    right: Tensor


@dataclass(frozen=True)
class TagScheme:
    """The tags of a job: what each says, by its class."""

    types: tuple[str, ...]
    prefix: Tensor  # BEGIN, INSIDE or OUTSIDE: int64 (tags)
    type: Tensor  # place among the types: int64 (tags)

    @classmethod
    def from_labels(cls, labels: Sequence[str]) -> "TagScheme":
        """Read the labels."""
        names = [label[2:] if label != "O" else "" for label in labels]
        types = tuple(sorted({name for name, label in zip(names, labels, strict=True) if label != "O"}))
        parts = {"B": BEGIN, "I": INSIDE, "O": OUTSIDE}
        return cls(
            types,
            torch.tensor([parts[label[0]] for label in labels]),
            torch.tensor([types.index(name) if name in types else len(types) for name in names]),
        )

    def count(self, batches: Sequence[tuple[Tensor, Tensor]], ignored: int) -> SpanCounts:
        """Count entities of (predicted, true) tags, each (N, L), without the `ignored` class; waits for the device."""
        rows = [_flatten_sequences(predicted.cpu(), true.cpu(), ignored) for predicted, true in batches]
        predicted, true, first = (torch.cat(part) for part in zip(*rows, strict=True))
        begins = self._is_iob2(true, first)
        found, there = (self._entities(tags, first, begins) for tags in (predicted, true))
        size = len(self.types)
        right = set(found) & set(there)
        counts = [
            torch.bincount(torch.tensor([kind for _, _, kind in part], dtype=torch.int64), minlength=size)
            for part in (found, there, right)
        ]
        return SpanCounts(self.types, *counts)

    def _is_iob2(self, true: Tensor, first: Tensor) -> bool:
        """Say whether entities begin with B-, wherever they are, as most of the true ones do."""
        part, before, same = self._neighbours(true, first)
        free = (part != OUTSIDE) & ((before == OUTSIDE) | ~same)
        return int((free & (part == INSIDE)).sum()) <= int((free & (part == BEGIN)).sum())

    def _neighbours(self, tags: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return each token's part, the part of the token before (none before the first), and whether types agree."""
        part, kind = self.prefix[tags], self.type[tags]
        before = torch.where(first, OUTSIDE, part.roll(1))
        return part, before, kind == kind.roll(1)

    def _entities(self, tags: Tensor, first: Tensor, begins: bool) -> list[tuple[int, int, int]]:
        """Return (start, end, type) of every entity."""
        part, before, same = self._neighbours(tags, first)
        beside = (before != OUTSIDE) & same  # an entity of the same type
        starts = (part == BEGIN) | ((part == INSIDE) & ~beside)
        allowed = part == BEGIN if begins else (part == INSIDE) | beside
        last = (starts | (part == OUTSIDE) | first).roll(-1)  # the token after is another's
        last[-1:] = True
        ends = last & (part != OUTSIDE)
        begun = starts.nonzero().flatten()
        places = zip(
            begun.tolist(),
            ends.nonzero().flatten().tolist(),
            self.type[tags[begun]].tolist(),
            allowed[begun].tolist(),
            strict=True,
        )
        return [(start, end, kind) for start, end, kind, fine in places if fine]


def _flatten_sequences(predicted: Tensor, true: Tensor, ignored: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the tokens that count one behind the other, and which of them is the first of its list."""
    kept = true != ignored
    order = kept.cumsum(1)
    return predicted[kept], true[kept], (order == 1)[kept]
