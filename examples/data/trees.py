"""Syntax trees of this Python's own standard library: does a function return a value? See `syntax_trees.py`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from examples.data.files import write_both, write_jsonl
from examples.data.split import Example, split
from examples.syntax_trees import Tree, examples

LABELS = ("nothing", "value")


def write(_cache: Path, folder: Path) -> dict[str, int]:
    """Write train.jsonl and test.jsonl; returns how many trees each has."""
    parts = split(Example(repr(tree), tree, LABELS[label]) for tree, label in examples())
    return write_both(folder, "jsonl", write_jsonl, map(rows, parts))


def rows(part: Iterable[Example]) -> Iterator[dict[str, Any]]:
    """Yield each tree, nested, with its label."""
    for each in part:
        yield {"tree": nested(each.content), "label": each.label}


def nested(tree: Tree, node: int = 0) -> dict[str, Any]:
    """Return a node with all that stands below it."""
    kind, children = tree[node]
    return {"label": kind, "children": [nested(tree, child) for child in children]}
