"""Numbers, words and trees of rows: checked against the stored schema, and in the form that sources have."""

from typing import Any

import torch
from torch import Tensor

from workers.data.columns import Tree
from workers.data.types.inference import format_number
from workers.prediction.problems import RowProblems, format_value
from workers.prediction.required_columns import ColumnValues, RequiredColumn

MAX_FLOAT32 = float(torch.finfo(torch.float32).max)
NULL_HINT = "null says that it is missing"
TREE_HINT = 'such as {"label": "a", "children": [{"label": "b"}]}'

NodePath = tuple[str | int, ...]


def parse_numbers(wanted: RequiredColumn, values: ColumnValues, found: RowProblems) -> Tensor:
    """Return float64 (rows), NaN where a number is missing."""
    for row, value in enumerate(values):
        if value is None and wanted.is_required:
            hint = "the job was trained on rows without missing values"
            found.add(row, wanted.name, "missing_value", "is missing", hint)
        elif value is not None and not isinstance(value, int | float):
            found.add(row, wanted.name, "wrong_type", f"is a number, {format_value(value)} is none", NULL_HINT)
        elif value is not None and abs(value) > MAX_FLOAT32:
            found.add(row, wanted.name, "out_of_range", "is too large for float32", "use a smaller number")
    kept = [float(value) if isinstance(value, int | float) else float("nan") for value in values]
    return torch.tensor(kept, dtype=torch.float64)


def parse_strings(wanted: RequiredColumn, values: ColumnValues, found: RowProblems) -> list[str | None]:
    """Return a word or a text for each row; a number is a text as well, as it is in data sets."""
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, str | int | float):
            found.add(row, wanted.name, "wrong_type", f"is text, {format_value(value)} is none", NULL_HINT)
    return [
        format_number(value) if isinstance(value, int | float) else value if isinstance(value, str) else None
        for value in values
    ]


def parse_word_lists(wanted: RequiredColumn, values: ColumnValues, found: RowProblems) -> list[list[str]]:
    """Return a list of words for each row; an empty one where it is missing."""
    kept: list[list[str]] = []
    for row, value in enumerate(values):
        each = value if isinstance(value, list) else []
        if value is not None and not isinstance(value, list):
            detail = f"is a list of words, {format_value(value)} is none"
            found.add(row, wanted.name, "wrong_type", detail, 'such as ["a", "b"]')
        for place, word in enumerate(each):
            if not isinstance(word, str):
                found.add(
                    row, wanted.name, "wrong_type", f"is a list of words, {format_value(word)} is none", "", (place,)
                )
        kept.append([word for word in each if isinstance(word, str)])
    return kept


def parse_trees(wanted: RequiredColumn, values: ColumnValues, found: RowProblems) -> list[Tree]:
    """Return a tree for each row."""
    return [_parse_tree(wanted, row, value, found) for row, value in enumerate(values)]


def _parse_tree(wanted: RequiredColumn, row: int, value: Any, found: RowProblems) -> Tree:
    """Return a tree; walks without recursion."""
    root: dict[str, Any] = {"label": "", "children": []}
    waiting: list[tuple[NodePath, Any, dict[str, Any]]] = [((), value, root)]
    widest = 0
    for place, node, made in waiting:  # grows while it is walked
        label, children = (node.get("label"), node.get("children", [])) if isinstance(node, dict) else (None, None)
        named = isinstance(label, str | int) and not isinstance(label, bool)
        if not named or not isinstance(children, list) or node.keys() - {"label", "children"}:
            detail = "is a tree: a node has a label, which is a word, and perhaps children in a list"
            found.add(row, wanted.name, "wrong_type", detail, TREE_HINT, place)
            continue
        widest = max(widest, len(children))
        made["label"], made["children"] = str(label), [{"label": "", "children": []} for _ in children]
        for position, (child, inner) in enumerate(zip(children, made["children"], strict=True)):
            waiting.append(((*place, "children", position), child, inner))
    limits = (("nodes", len(waiting), wanted.max_length), ("children at one node", widest, wanted.column.widest))
    for what, count, most in limits:
        if most is not None and count > most:
            detail = f"has {count} {what}, training saw at most {most}"
            found.add(row, wanted.name, "too_long", detail, "send smaller trees")
    return root
