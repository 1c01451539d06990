"""Numbers, words and trees of rows: checked against the stored schema, and in the form that sources have."""

from typing import Any

import torch
from torch import Tensor

from workers.data.columns import Tree
from workers.data.types.inference import plain
from workers.prediction.columns import Values, Wanted
from workers.prediction.problems import Findings, shown

LARGEST = float(torch.finfo(torch.float32).max)
NULL = "null says that it is missing"
A_TREE = 'such as {"label": "a", "children": [{"label": "b"}]}'

Place = tuple[str | int, ...]


def numbers(wanted: Wanted, values: Values, found: Findings) -> Tensor:
    """Return float64 (rows), NaN where a number is missing."""
    for row, value in enumerate(values):
        if value is None and wanted.needed:
            hint = "the job was trained on rows without missing values"
            found.add(row, wanted.name, "missing_value", "is missing", hint)
        elif value is not None and not isinstance(value, int | float):
            found.add(row, wanted.name, "wrong_type", f"is a number, {shown(value)} is none", NULL)
        elif value is not None and abs(value) > LARGEST:
            found.add(row, wanted.name, "out_of_range", "is too large for float32", "use a smaller number")
    kept = [float(value) if isinstance(value, int | float) else float("nan") for value in values]
    return torch.tensor(kept, dtype=torch.float64)


def words(wanted: Wanted, values: Values, found: Findings) -> list[str | None]:
    """Return a word or a text for each row; a number is a text as well, as it is in data sets."""
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, str | int | float):
            found.add(row, wanted.name, "wrong_type", f"is text, {shown(value)} is none", NULL)
    return [plain(value) if isinstance(value, int | float) else value if isinstance(value, str) else None
            for value in values]  # fmt: skip


def lists(wanted: Wanted, values: Values, found: Findings) -> list[list[str]]:
    """Return a list of words for each row; an empty one where it is missing."""
    kept: list[list[str]] = []
    for row, value in enumerate(values):
        each = value if isinstance(value, list) else []
        if value is not None and not isinstance(value, list):
            detail = f"is a list of words, {shown(value)} is none"
            found.add(row, wanted.name, "wrong_type", detail, 'such as ["a", "b"]')
        for place, word in enumerate(each):
            if not isinstance(word, str):
                found.add(row, wanted.name, "wrong_type", f"is a list of words, {shown(word)} is none", "", (place,))
        kept.append([word for word in each if isinstance(word, str)])
    return kept


def trees(wanted: Wanted, values: Values, found: Findings) -> list[Tree]:
    """Return a tree for each row."""
    return [_tree(wanted, row, value, found) for row, value in enumerate(values)]


def _tree(wanted: Wanted, row: int, value: Any, found: Findings) -> Tree:
    """Return a tree; walks without recursion."""
    root: dict[str, Any] = {"label": "", "children": []}
    waiting: list[tuple[Place, Any, dict[str, Any]]] = [((), value, root)]
    widest = 0
    for place, node, made in waiting:  # grows while it is walked
        label, children = (node.get("label"), node.get("children", [])) if isinstance(node, dict) else (None, None)
        named = isinstance(label, str | int) and not isinstance(label, bool)
        if not named or not isinstance(children, list) or node.keys() - {"label", "children"}:
            detail = "is a tree: a node has a label, which is a word, and perhaps children in a list"
            found.add(row, wanted.name, "wrong_type", detail, A_TREE, place)
            continue
        widest = max(widest, len(children))
        made["label"], made["children"] = str(label), [{"label": "", "children": []} for _ in children]
        for position, (child, inner) in enumerate(zip(children, made["children"], strict=True)):
            waiting.append(((*place, "children", position), child, inner))
    limits = (("nodes", len(waiting), wanted.longest), ("children at one node", widest, wanted.column.widest))
    for what, count, most in limits:
        if most is not None and count > most:
            detail = f"has {count} {what}, training saw at most {most}"
            found.add(row, wanted.name, "too_long", detail, "send smaller trees")
    return root
