"""Trees: labels and children as rows, as Fold reads them. Row 0 is the root, parents come before children."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, cast

import torch

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.data.sequence_features import TreeFeature
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns, Tree
from workers.data.features.preprocessor import Preprocessor, column_schema, column_values

UNKNOWN_LABEL = 0  # also the padding of labels
NO_CHILD = -1  # the padding of children

NodeRow = tuple[str, list[int]]  # a node's label, and the rows of its children


@dataclass(frozen=True)
class TreePreprocessor(Preprocessor[TreeFeature, list[str]]):
    """A column of trees. Its state is the labels in the order of their codes."""

    width: int  # the largest number of children of a node
    codes: Mapping[str, int]

    @classmethod
    def fit(cls, name: str, feature: TreeFeature, stored: DataSchema, split: SplitColumns) -> Self:
        """Number the most frequent labels, equally frequent ones by the alphabet. Raises `DataError`."""
        counts = Counter(label for tree in _trees(split, feature) for label, _ in node_rows(tree) if label)
        labels = sorted(counts, key=lambda label: (-counts[label], label))
        return cls.load(name, feature, stored, labels[: feature.vocabulary - 1])

    @classmethod
    def load(cls, name: str, feature: TreeFeature, stored: DataSchema, state: list[str]) -> Self:
        """Return the preprocessor of a stored state. Raises `DataError`."""
        codes = {label: code for code, label in enumerate(state, start=1)}
        return cls(name, feature, column_schema(stored, feature.column).max_width, codes)

    def state(self) -> list[str]:
        """Return the labels in the order of their codes."""
        return list(self.codes)

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the labels, int64 (rows, nodes), and the rows of the children, int64 (rows, nodes, width).

        Raises `DataError` for a node with more children than the schema knows of.
        """
        labels, children = [], []
        for number, tree in enumerate(_trees(split, self.feature), start=1):
            nodes = list(node_rows(tree))
            labels.append(torch.tensor([self.codes.get(label, UNKNOWN_LABEL) for label, _ in nodes]))
            children.append(torch.tensor([self._pad(rows, number) for _, rows in nodes]))
        columns = RaggedTensor.from_rows(labels, UNKNOWN_LABEL), RaggedTensor.from_rows(children, NO_CHILD)
        return dict(zip(self.columns, columns, strict=True))

    def _pad(self, children: Sequence[int], number: int) -> list[int]:
        if len(children) > self.width:
            detail = f'a node of row {number} in "{self.feature.column}" has {len(children):,} children'
            hint = "upload the data set again"
            raise DataError(f"{detail}, at most {self.width} by the schema", pointer="/data", hint=hint)
        return [*children, *[NO_CHILD] * (self.width - len(children))]


def _trees(split: SplitColumns, feature: TreeFeature) -> Sequence[Tree | None]:
    return cast(Sequence[Tree | None], column_values(split, feature.column))


def node_rows(tree: Tree | None) -> Iterator[NodeRow]:
    """Yield the nodes of a tree, parents first; a missing tree is one node without a label."""
    nodes: list[Tree] = [tree or {}]
    for node in nodes:  # grows while it is walked
        children = cast(Sequence[Tree], node.get("children") or ())
        label = node.get("label")
        yield "" if label is None else str(label), list(range(len(nodes), len(nodes) + len(children)))
        nodes += children
