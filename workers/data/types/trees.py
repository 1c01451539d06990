"""Trees: nodes with a label and children, as nested JSON objects."""

import sys
from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from app.spec.data.columns import MAX_LABELS, Column
from workers.data.columns import Tree
from workers.data.files.problems import format_value
from workers.data.types.base import JsonColumnType, ProblemSink, Statistics, ValueLimits
from workers.data.types.statistics import summarize, unique_words
from workers.data.types.values import Values, as_list

MAX_TREE_DEPTH = 400  # levels of a tree in a data set
TREE_HINT = 'such as {"label": "a", "children": [{"label": "b"}]}'
NODE_DETAIL = 'expected a tree: a node has a "label" (a word, or a whole number) and perhaps "children" in a list'

TreeColumn = Sequence[Tree | None]


class TreeType(JsonColumnType):
    """A tree per row, None where it is missing."""

    families = frozenset({dict})
    nullable: ClassVar[bool] = False

    @classmethod
    def parse(
        cls, values: Values, column: Column, problems: ProblemSink, limits: ValueLimits | None = None
    ) -> TreeColumn:
        """Return N trees, whose labels are text. In a request, none is missing or larger than those of training."""
        return [
            None if value is None and limits is None else _parse_tree(row, value, column, problems, limits)
            for row, value in enumerate(as_list(values))
        ]

    @classmethod
    def describe(cls, column: Column, stored: TreeColumn) -> Column:
        """Add the labels if there are few, the largest number of nodes, and of children of a node."""
        labels, longest, widest = set[str](), 1, 0
        for tree in stored:
            if tree is not None:
                nodes, width, words = measure_tree(tree)
                longest, widest = max(longest, nodes), max(widest, width)
                if len(labels) <= MAX_LABELS:
                    labels |= words
        return column.model_copy(update={"labels": unique_words(labels), "longest": longest, "widest": widest})

    @classmethod
    def statistics(cls, stored: TreeColumn) -> Statistics | None:
        """Return statistics of the numbers of nodes."""
        return {"nodes": summarize(torch.tensor([measure_tree(tree)[0] for tree in stored if tree]))}


def _parse_tree(row: int, value: object, column: Column, problems: ProblemSink, limits: ValueLimits | None) -> Tree:
    """Return a tree; walks without recursion."""
    root: dict[str, Any] = {"label": "", "children": []}
    if not isinstance(value, dict):
        problems.add_value(row, column.name, "wrong_type", f"expected a tree, got {format_value(value)}", TREE_HINT)
        return root
    queue: list[tuple[Any, dict[str, Any], int, int]] = [(value, root, -1, 0)]  # (…, parent, place)
    depths = [1]
    widest = 0
    for index, (node, parsed, _, _) in enumerate(queue):  # grows while it is walked
        label, children = (node.get("label"), node.get("children", [])) if isinstance(node, dict) else (None, None)
        named = isinstance(label, str | int) and not isinstance(label, bool)
        if not named or not isinstance(children, list) or node.keys() - {"label", "children"}:
            problems.add_value(row, column.name, "not_a_tree", NODE_DETAIL, TREE_HINT, _path(queue, index))
            continue
        if limits is None and depths[index] > MAX_TREE_DEPTH:
            problems.add_value(row, column.name, "not_a_tree", f"the tree has more than {MAX_TREE_DEPTH} levels")
            break
        widest = max(widest, len(children))
        parsed["label"] = sys.intern(str(label))
        parsed["children"] = [{"label": "", "children": []} for _ in children]
        queue += [(*pair, index, place) for place, pair in enumerate(zip(children, parsed["children"], strict=True))]
        depths += [depths[index] + 1] * len(children)
    if limits is not None:
        for what, count, most in (
            ("nodes", len(queue), limits.max_length),
            ("children at one node", widest, column.widest),
        ):
            if most is not None and count > most:
                detail = f"the tree has {count:,} {what}, the network was trained on at most {most:,}"
                problems.add_value(row, column.name, "too_long", detail, "send smaller trees")
    return root


def _path(queue: Sequence[tuple[Any, dict[str, Any], int, int]], index: int) -> tuple[str | int, ...]:
    """Return where a node stands in its tree, such as ("children", 0)."""
    path: list[str | int] = []
    while index > 0:
        *_, parent, place = queue[index]
        path += [place, "children"]
        index = parent
    return tuple(reversed(path))


def measure_tree(root: Tree) -> tuple[int, int, set[str]]:
    """Return the number of nodes of a tree, the largest number of children of one, and its labels."""
    nodes: list[Any] = [root]
    widest = 0
    for node in nodes:  # grows while it is walked
        widest = max(widest, len(node["children"]))
        nodes += node["children"]
    return len(nodes), widest, {node["label"] for node in nodes}
