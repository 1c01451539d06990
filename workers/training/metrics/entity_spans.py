"""Entities in lists of tags, counted strictly: an entity is right if its place and its type are.

Tags are B-X, I-X and O. If most true entities begin with B- (IOB2), only B- begins a predicted one. Otherwise (IOB1),
I- begins an entity, and B- only one that directly follows another of its type (Ramshaw and Marcus 1995).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BEGIN, INSIDE, OUTSIDE = 0, 1, 2


@dataclass(frozen=True)
class SpanCounts:
    """The numbers of entities of each type: int64 (types)."""

    types: tuple[str, ...]
    predicted: Tensor
    true: Tensor
    right: Tensor


@dataclass(frozen=True)
class TagScheme:
    """The tags of a job, by class."""

    types: tuple[str, ...]
    prefix: Tensor  # BEGIN, INSIDE or OUTSIDE: int64 (tags)
    type: Tensor  # index of the type: int64 (tags)

    @classmethod
    def from_labels(cls, labels: Sequence[str]) -> "TagScheme":
        """Return the scheme of labels such as B-PER, I-PER and O."""
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
        predicted_spans, true_spans = (self._entities(tags, first, begins) for tags in (predicted, true))
        right_spans = set(predicted_spans) & set(true_spans)
        counts = [
            torch.bincount(torch.tensor([kind for _, _, kind in spans], dtype=torch.int64), minlength=len(self.types))
            for spans in (predicted_spans, true_spans, right_spans)
        ]
        return SpanCounts(self.types, *counts)

    def _is_iob2(self, true: Tensor, first: Tensor) -> bool:
        """Return whether most of the true entities that follow no entity of their type begin with B-."""
        prefix, before, same = self._neighbours(true, first)
        free = (prefix != OUTSIDE) & ((before == OUTSIDE) | ~same)
        return int((free & (prefix == INSIDE)).sum()) <= int((free & (prefix == BEGIN)).sum())

    def _neighbours(self, tags: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the prefix of each token, that of the token before (O before the first), and whether types agree."""
        prefix, kind = self.prefix[tags], self.type[tags]
        before = torch.where(first, OUTSIDE, prefix.roll(1))
        return prefix, before, kind == kind.roll(1)

    def _entities(self, tags: Tensor, first: Tensor, begins: bool) -> list[tuple[int, int, int]]:
        """Return (start, end, type) of every entity."""
        prefix, before, same = self._neighbours(tags, first)
        follows = (before != OUTSIDE) & same  # directly after an entity of its type
        starts = (prefix == BEGIN) | ((prefix == INSIDE) & ~follows)
        valid = prefix == BEGIN if begins else (prefix == INSIDE) | follows
        last = (starts | (prefix == OUTSIDE) | first).roll(-1)  # the next token is not of the same entity
        last[-1:] = True
        ends = last & (prefix != OUTSIDE)
        indices = starts.nonzero().flatten()
        spans = zip(
            indices.tolist(),
            ends.nonzero().flatten().tolist(),
            self.type[tags[indices]].tolist(),
            valid[indices].tolist(),
            strict=True,
        )
        return [(start, end, kind) for start, end, kind, is_valid in spans if is_valid]


def _flatten_sequences(predicted: Tensor, true: Tensor, ignored: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the tokens that are not ignored (M): predicted, true, and whether one is the first of its list."""
    kept = true != ignored
    order = kept.cumsum(1)
    return predicted[kept], true[kept], (order == 1)[kept]
