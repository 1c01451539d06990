"""What an upload turned out to be, for people and for the inspector: a schema and its first rows, or problems."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.data.columns import Column, DataSchema
from workers.data.columns import Ragged, Split, Stored
from workers.data.files.content import Content, Upload
from workers.data.formats.catalog import FORMATS, settled
from workers.data.images.decoding import Pictures
from workers.data.types.values import measured

PREVIEW_ROWS, PREVIEW_VALUES, PREVIEW_CHARACTERS = 5, 64, 200
PREVIEW_COLUMNS = 200  # of a very wide table
COMMON = 20  # words of which the number is told
PIECE = 1 << 20  # numbers that are summed up at a time


@dataclass(frozen=True)
class Description:
    """A schema, the first rows and the format; or problems."""

    schema: DataSchema | None
    preview: list[dict[str, Any]]
    problems: tuple[Problem, ...]
    format: str | None = None


def describe(upload: Upload) -> Description:
    """Read an upload whole and say what is in it. Meant for a process with limits: the content is a stranger's."""
    try:
        kind = settled(upload)
        content = FORMATS[kind](upload)
    except InvalidInput as error:
        return Description(None, [], error.problems)
    first = next(iter(content.splits.values()))
    columns = [column.model_copy(update={"statistics": statistics(column, first[column.name])})
               for column in content.columns]  # fmt: skip
    described = Content(tuple(columns), content.splits, content.inputs, content.target)
    return Description(described.schema(), preview(first), (), kind)


def preview(split: Split) -> list[dict[str, Any]]:
    """Return the first rows, in JSON; of a very wide table, the first columns of them."""
    rows = min(PREVIEW_ROWS, len(next(iter(split.values()))))
    shown = list(split.items())[:PREVIEW_COLUMNS]
    return [{name: _short(_value(column, row)) for name, column in shown} for row in range(rows)]


def _value(column: Stored, row: int) -> Any:
    if isinstance(column, Pictures):
        return {"shape": list(column.read(row).shape)}
    if isinstance(column, Ragged):
        return column.values[column.offsets[row] : column.offsets[row + 1]]
    return column[row]  # type: ignore[index]


def _short(value: Any) -> Any:
    """Return a value in JSON; of a large one, its beginning. What is no number is null."""
    if isinstance(value, Tensor):
        return _numbers(value)
    if isinstance(value, str):
        return value[:PREVIEW_CHARACTERS].replace("\0", "\ufffd")
    if isinstance(value, Mapping) and "label" in value:
        return written(value)
    if isinstance(value, Sequence):
        return [_short(item) for item in value[:PREVIEW_VALUES]]
    return value


def _numbers(value: Tensor) -> Any:
    if value.numel() > PREVIEW_VALUES:
        value = value.flatten()[:PREVIEW_VALUES]
    if value.is_floating_point() and not bool(value.isfinite().all()):
        found = [number if np.isfinite(number) else None for number in value.flatten().tolist()]
        return found if value.ndim else found[0]
    return value.tolist()


def written(tree: Mapping[str, Any]) -> str:
    """Return the beginning of a tree as an s-expression."""
    text, waiting = "", list[Any]([tree])
    while waiting and len(text) < PREVIEW_CHARACTERS:
        node = waiting.pop()
        if isinstance(node, str):
            text += node
            continue
        text += (" " if text else "") + ("(" if node["children"] else "") + node["label"]
        waiting += [")", *reversed(node["children"])] if node["children"] else []
    return text[:PREVIEW_CHARACTERS].replace("\0", "\ufffd")


def statistics(column: Column, stored: Stored) -> dict[str, Any] | None:
    """Return what people want to know of the values."""
    return None if isinstance(stored, Pictures) else STATISTICS[column.type](stored)


def _of_words(lists: Any) -> dict[str, Any]:
    return {"lengths": moments(_lengths(lists)), "counts": common(word for words in lists for word in words)}


def _lengths(column: Iterable[Any]) -> Tensor:
    return torch.tensor([len(value) for value in column if value is not None])


def common(words: Iterable[str | None]) -> dict[str, int]:
    """Return the most frequent words and how often each is there."""
    found = Counter(word for word in words if word is not None).most_common(COMMON)
    return {word[:PREVIEW_CHARACTERS]: count for word, count in found}


def moments(values: Tensor) -> dict[str, float] | None:
    """Return least, mean, largest value and standard deviation of the finite numbers; nothing if there is none."""
    flat = values.flatten()
    count, total, squares, least, most = 0, 0.0, 0.0, float("inf"), -float("inf")
    for start in range(0, len(flat), PIECE):
        part = flat[start : start + PIECE].double()
        part = part[part.isfinite()]
        if len(part):
            count += len(part)
            total += float(part.sum())
            squares += float((part * part).sum())
            least, most = min(least, float(part.min())), max(most, float(part.max()))
    if not count:
        return None
    mean = total / count
    return {"min": least, "mean": mean, "max": most, "std": max(0.0, squares / count - mean * mean) ** 0.5}


# Type of a column → what is told of its values.
STATISTICS: Mapping[str, Callable[[Any], dict[str, Any] | None]] = {
    "tensor": moments,
    "number": moments,
    "category": lambda words: {"counts": common(words)},
    "text": lambda texts: {"characters": moments(_lengths(texts))},
    "words": _of_words,
    "series": lambda series: {"lengths": moments(series.lengths), "values": moments(series.values)},
    "tree": lambda trees: {"nodes": moments(torch.tensor([measured(tree)[0] for tree in trees if tree]))},
}
