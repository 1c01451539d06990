"""Syntax trees of this Python's own standard library: does a function return a value? See `syntax_trees.py`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from examples.data.files import write_jsonl, write_splits
from examples.data.split import Example, train_test_split
from examples.syntax_trees import Tree, unique_trees

LABELS = ("nothing", "value")


def write(_cache: Path, folder: Path) -> dict[str, int]:
    """Write train.jsonl and test.jsonl; returns how many trees each has."""
    parts = train_test_split(Example(repr(tree), tree, LABELS[label]) for tree, label in unique_trees())
    return write_splits(folder, "jsonl", write_jsonl, map(to_rows, parts))


def to_rows(part: Iterable[Example]) -> Iterator[dict[str, Any]]:
    """Yield each tree, nested, with its label."""
    for each in part:
        yield {"tree": to_nested(each.content), "label": each.label}


def to_nested(tree: Tree, node: int = 0) -> dict[str, Any]:
    """Return a node with all that stands below it."""
    kind, children = tree[node]
    return {"label": kind, "children": [to_nested(tree, child) for child in children]}
