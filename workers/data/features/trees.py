"""Trees: labels and children as tables of rows, as Fold reads them. Row 0 is the root, parents come before children."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch

from app.errors import DataError
from app.spec.data.columns import DataSchema
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns
from workers.data.features.numbers import column_schema, column_values

UNKNOWN_LABEL = 0  # also the label of rows that are no node
NO_CHILD = -1  # instead of a child

NodeRow = tuple[str, list[int]]  # a node's label, and the rows of its children


@dataclass(frozen=True)
class TreePreprocessor:
    """A column of trees."""

    name: str
    part: Any
    width: int  # children of a node, at most
    codes: Mapping[str, int]

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: SplitColumns) -> Self:
        """Count the labels: the most frequent ones have numbers, of equally frequent ones the first by the alphabet."""
        counts = Counter(label for tree in column_values(split, part.column) for label, _ in node_rows(tree) if label)
        labels = sorted(counts, key=lambda label: (-counts[label], label))
        return cls.load(name, part, stored, labels[: part.vocabulary - 1])

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over what `fitted` returned."""
        codes = {label: code for code, label in enumerate(fitted, start=1)}
        return cls(name, part, max(1, column_schema(stored, part.column).widest or 1), codes)

    def fitted_state(self) -> Any:
        """Return the labels in the order of their numbers."""
        return list(self.codes)

    def apply(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return labels, int64 (rows, nodes), and children, int64 (rows, nodes, places). Raises `DataError`."""
        labels, children = [], []
        for number, tree in enumerate(column_values(split, self.part.column), start=1):
            rows = list(node_rows(tree))
            labels.append(torch.tensor([self.codes.get(label, UNKNOWN_LABEL) for label, _ in rows]))
            children.append(torch.tensor([self._padded(below, number) for _, below in rows]))
        return {
            self.name: RaggedTensor.from_rows(labels, UNKNOWN_LABEL),
            f"{self.name}_children": RaggedTensor.from_rows(children, NO_CHILD),
        }

    def _padded(self, below: Sequence[int], number: int) -> list[int]:
        if len(below) > self.width:
            detail = f'a node of row {number} in "{self.part.column}" has {len(below)} children, at most {self.width}'
            raise DataError(f"{detail} were announced", pointer="/data", hint="upload the data set again")
        return [*below, *[NO_CHILD] * (self.width - len(below))]


def node_rows(tree: Mapping[str, Any] | None) -> Iterator[NodeRow]:
    """Yield the nodes of a tree, parents first; a missing tree is one node without a label."""
    waiting: list[Mapping[str, Any]] = [tree or {}]
    for node in waiting:  # grows while it is walked
        below = node.get("children") or []
        label = node.get("label")
        yield "" if label is None else str(label), list(range(len(waiting), len(waiting) + len(below)))
        waiting += below
