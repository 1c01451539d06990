"""Trees: labels and children as tables of rows, as Fold reads them. Row 0 is the root, parents come before children."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch

from app.errors import DataError
from app.spec.data.columns import DataSchema
from workers.data.columns import Made, Ragged, Split
from workers.data.features.numbers import column_of, stored_column

UNKNOWN = 0  # also the label of rows that are no node
NOBODY = -1  # instead of a child

Row = tuple[str, list[int]]  # a node's label, and the rows of its children


@dataclass(frozen=True)
class Trees:
    """A column of trees."""

    name: str
    part: Any
    width: int  # children of a node, at most
    codes: Mapping[str, int]

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: Split) -> Self:
        """Count the labels: the most frequent ones have numbers, of equally frequent ones the first by the alphabet."""
        counts = Counter(label for tree in stored_column(split, part.column) for label, _ in rows_of(tree) if label)
        labels = sorted(counts, key=lambda label: (-counts[label], label))
        return cls.load(name, part, stored, labels[: part.vocabulary - 1])

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over what `fitted` returned."""
        codes = {label: code for code, label in enumerate(fitted, start=1)}
        return cls(name, part, max(1, column_of(stored, part.column).widest or 1), codes)

    def fitted(self) -> Any:
        """Return the labels in the order of their numbers."""
        return list(self.codes)

    def apply(self, split: Split) -> dict[str, Made]:
        """Return labels, int64 (rows, nodes), and children, int64 (rows, nodes, places). Raises `DataError`."""
        labels, children = [], []
        for number, tree in enumerate(stored_column(split, self.part.column), start=1):
            rows = list(rows_of(tree))
            labels.append(torch.tensor([self.codes.get(label, UNKNOWN) for label, _ in rows]))
            children.append(torch.tensor([self._padded(below, number) for _, below in rows]))
        return {self.name: Ragged.of(labels, UNKNOWN), f"{self.name}_children": Ragged.of(children, NOBODY)}

    def _padded(self, below: Sequence[int], number: int) -> list[int]:
        if len(below) > self.width:
            detail = f'a node of row {number} in "{self.part.column}" has {len(below)} children, at most {self.width}'
            raise DataError(f"{detail} were announced", pointer="/data", hint="upload the data set again")
        return [*below, *[NOBODY] * (self.width - len(below))]


def rows_of(tree: Mapping[str, Any] | None) -> Iterator[Row]:
    """Yield the nodes of a tree, parents first; a missing tree is one node without a label."""
    waiting: list[Mapping[str, Any]] = [tree or {}]
    for node in waiting:  # grows while it is walked
        below = node.get("children") or []
        label = node.get("label")
        yield "" if label is None else str(label), list(range(len(waiting), len(waiting) + len(below)))
        waiting += below
