"""Statistics of stored values, and the labels of a column."""

from collections import Counter
from collections.abc import Iterable, Sized

import torch
from torch import Tensor

from app.spec.data.columns import MAX_LABELS

MAX_LABEL_LENGTH = 200  # characters
MAX_COMMON_WORDS = 20  # words that are counted
SUM_CHUNK_SIZE = 1 << 20  # numbers that are converted at once


def unique_words(words: Iterable[str | None]) -> tuple[str, ...] | None:
    """Return the different words, sorted; None if there are more than 1,000, or one has more than 200 characters."""
    different: set[str] = set()
    for word in words:
        if word is not None and word not in different:
            different.add(word)
            if len(different) > MAX_LABELS or len(word) > MAX_LABEL_LENGTH:
                return None
    return tuple(sorted(different))


def count_words(words: Iterable[str | None]) -> dict[str, int]:
    """Return the 20 most frequent words with their counts."""
    counts = Counter(word for word in words if word is not None).most_common(MAX_COMMON_WORDS)
    return {word[:MAX_LABEL_LENGTH]: count for word, count in counts}


def summarize(values: Tensor) -> dict[str, float] | None:
    """Return min, mean, max and std (population) of the finite numbers; None if there are none."""
    flat = values.flatten()
    count, total, squares, least, most = 0, 0.0, 0.0, float("inf"), -float("inf")
    for start in range(0, len(flat), SUM_CHUNK_SIZE):
        part = flat[start : start + SUM_CHUNK_SIZE].double()
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


def summarize_lengths(values: Iterable[Sized | None]) -> dict[str, float] | None:
    """Return `summarize` of the lengths of the values that are there."""
    return summarize(torch.tensor([len(value) for value in values if value is not None]))
