"""Numbers, strings, word lists and trees of rows: checked against the stored schema, in the form that sources have."""

from typing import Any

import torch
from torch import Tensor

from workers.data.columns import Tree
from workers.data.types.inference import format_number
from workers.prediction.problems import RowProblems, format_value
from workers.prediction.required_columns import ColumnValues, RequiredColumn

MAX_FLOAT32 = float(torch.finfo(torch.float32).max)
NULL_HINT = "send null if it is missing"
TREE_HINT = 'such as {"label": "a", "children": [{"label": "b"}]}'

NodePath = tuple[str | int, ...]


def parse_numbers(required: RequiredColumn, values: ColumnValues, problems: RowProblems) -> Tensor:
    """Return float64 (rows), NaN where a number is missing."""
    for row, value in enumerate(values):
        if value is None and required.is_required:
            hint = "send a number: the job was trained on rows without missing values"
            problems.add(row, required.name, "missing_value", "is missing", hint)
        elif value is not None and not isinstance(value, int | float):
            problems.add(row, required.name, "wrong_type", f"must be a number, not {format_value(value)}", NULL_HINT)
        elif value is not None and abs(value) > MAX_FLOAT32:
            problems.add(row, required.name, "out_of_range", "is too large for float32", "send a smaller number")
    numbers = [float(value) if isinstance(value, int | float) else float("nan") for value in values]
    return torch.tensor(numbers, dtype=torch.float64)


def parse_strings(required: RequiredColumn, values: ColumnValues, problems: RowProblems) -> list[str | None]:
    """Return a string for each row, `None` where it is missing; numbers are written as in data sets."""
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, str | int | float):
            problems.add(row, required.name, "wrong_type", f"must be a string, not {format_value(value)}", NULL_HINT)
    return [
        format_number(value) if isinstance(value, int | float) else value if isinstance(value, str) else None
        for value in values
    ]


def parse_word_lists(required: RequiredColumn, values: ColumnValues, problems: RowProblems) -> list[list[str]]:
    """Return a list of words for each row; a missing one is empty."""
    lists: list[list[str]] = []
    for row, value in enumerate(values):
        words = value if isinstance(value, list) else []
        if value is not None and not isinstance(value, list):
            detail = f"must be a list of words, not {format_value(value)}"
            problems.add(row, required.name, "wrong_type", detail, 'such as ["a", "b"]')
        for place, word in enumerate(words):
            if not isinstance(word, str):
                detail = f"must be a list of words, and has {format_value(word)}"
                problems.add(row, required.name, "wrong_type", detail, "", (place,))
        lists.append([word for word in words if isinstance(word, str)])
    return lists


def parse_trees(required: RequiredColumn, values: ColumnValues, problems: RowProblems) -> list[Tree]:
    """Return a tree for each row."""
    return [_parse_tree(required, row, value, problems) for row, value in enumerate(values)]


def _parse_tree(required: RequiredColumn, row: int, value: Any, problems: RowProblems) -> Tree:
    """Return a tree; without recursion, for trees may be deep."""
    root: dict[str, Any] = {"label": "", "children": []}
    queue: list[tuple[NodePath, Any, dict[str, Any]]] = [((), value, root)]  # path, node as sent, parsed node
    widest = 0
    for path, node, parsed in queue:  # grows while it is walked
        label, children = (node.get("label"), node.get("children", [])) if isinstance(node, dict) else (None, None)
        has_label = isinstance(label, str | int) and not isinstance(label, bool)
        if not has_label or not isinstance(children, list) or node.keys() - {"label", "children"}:
            detail = "must be a tree, whose nodes have a word as label and may have a list of children"
            problems.add(row, required.name, "wrong_type", detail, TREE_HINT, path)
            continue
        widest = max(widest, len(children))
        parsed["label"], parsed["children"] = str(label), [{"label": "", "children": []} for _ in children]
        for position, (child, blank) in enumerate(zip(children, parsed["children"], strict=True)):
            queue.append(((*path, "children", position), child, blank))
    limits = (("nodes", len(queue), required.max_length), ("children at one node", widest, required.column.widest))
    for noun, count, limit in limits:
        if limit is not None and count > limit:
            detail = f"has {count} {noun}, at most {limit} were in the training data"
            problems.add(row, required.name, "too_long", detail, "send smaller trees")
    return root
