"""Values of JSON: read strictly, and brought to the form in which many of them fit into memory."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn

import numpy as np

from workers.data.columns import Tree

BOOLEAN_VALUES = {"true": 1.0, "false": 0.0}
SNIFF_TEXTS = 4096  # texts by which all of a column are judged
MAX_TREE_DEPTH = 400  # levels of a tree
UNSTORABLE_PATTERN = re.compile(
    "[\ud800-\udfff]|\\\\u0000"
)  # what no database stores, in JSON that escapes nothing else


class EmptyList(tuple[()]):
    """An empty list: of words, or of numbers."""


EMPTY_LIST = EmptyList()


def parse_texts(texts: Sequence[str | None]) -> Any:
    """Return the values that texts stand for: truths, and lists and trees in JSON."""
    different = {text.lower() for text in islice((text for text in texts if text is not None), SNIFF_TEXTS)}
    if different and different <= BOOLEAN_VALUES.keys():
        try:
            return np.array([np.nan if text is None else BOOLEAN_VALUES[text.lower()] for text in texts])
        except KeyError:
            return texts
    if different and all(text[0] in "[{" for text in different):
        try:
            return [None if text is None else compact(parse_json(text)) for text in texts]
        except ValueError:
            return texts
    return texts


def parse_json(text: str) -> Any:
    """Return a JSON value; unlike Python's reader, refuse NaN, doubled keys and what cannot be stored.

    Raises `json.JSONDecodeError` with the place, and `ValueError`.
    """
    try:
        found = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_reject_constant)
    except RecursionError:
        raise ValueError("it nests too deep") from None
    if "\\u" in text and UNSTORABLE_PATTERN.search(json.dumps(found, ensure_ascii=False)):
        raise ValueError("it has characters that cannot be stored: NUL or lone surrogates")
    return found


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f'the key "{next(key for key in keys if keys.count(key) > 1)[:40]}" stands there twice')
    return found


def _reject_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON: write null for a missing number")


def compact(value: Any) -> Any:
    """Return a value of a column: lists of words as tuples, lists of numbers as arrays. Raises `ValueError`."""
    if isinstance(value, str):
        _check_text(value)
        return sys.intern(value) if len(value) < 20 else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _check_finite(value)
    if not isinstance(value, list):
        return value
    if not value:
        return EMPTY_LIST
    if all(isinstance(item, str) for item in value):
        for item in value:
            _check_text(item)
        return tuple(map(sys.intern, value))
    return number_array(value)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("a text has the character NUL")


def _check_finite(value: float) -> float:
    try:
        found = float(value)
    except OverflowError:
        found = float("inf")
    if abs(found) == float("inf"):
        raise ValueError("the number is too large")
    return value


def number_array(value: list[Any]) -> np.ndarray[Any, Any]:
    """Return a list of numbers, or of lists of them that are alike: int64 or float32. Raises `ValueError`."""
    try:
        found = np.array(value)
    except (ValueError, OverflowError):
        raise ValueError("its inner lists differ in length, or hold other than numbers") from None
    if found.dtype.kind not in "iufb" or found.ndim > 8:
        raise ValueError("a list holds only words, or only numbers, or lists of numbers that are alike")
    if 0 in found.shape:
        raise ValueError("its inner lists are empty")
    if found.dtype.kind == "u" or (found.dtype.kind == "f" and not np.isfinite(found).all()):
        raise ValueError("it holds a number that is too large")
    return found.astype(np.float32 if found.dtype.kind == "f" else np.int64)


def parse_tree(value: Mapping[str, Any]) -> Tree:
    """Return a tree whose labels are words. Raises `ValueError`."""
    root: dict[str, Any] = {}
    waiting = [(value, root, 1)]
    for node, made, level in waiting:  # grows while it is walked
        if not isinstance(node, dict):
            raise ValueError(f"a node is an object, not {type(node).__name__}")
        if level > MAX_TREE_DEPTH:
            raise ValueError(f"it is more than {MAX_TREE_DEPTH} levels deep")
        label, children = node.get("label"), node.get("children", [])
        if isinstance(label, bool) or not isinstance(label, str | int):
            raise ValueError("every node has a label: a word, or a whole number")
        if not isinstance(children, list) or not node.keys() <= {"label", "children"}:
            raise ValueError("a node has a label, and children in a list")
        made["label"] = sys.intern(str(label))
        made["children"] = [{} for _ in children]
        waiting += [(child, place, level + 1) for child, place in zip(children, made["children"], strict=True)]
    return root


def measure_tree(root: Tree) -> tuple[int, int, set[str]]:
    """Return how many nodes a tree has, the most children of one, and its labels."""
    waiting: list[Any] = [root]
    widest = 0
    for node in waiting:  # grows while it is walked
        widest = max(widest, len(node["children"]))
        waiting += node["children"]
    return len(waiting), widest, {node["label"] for node in waiting}
