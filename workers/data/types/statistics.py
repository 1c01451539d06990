"""Statistics of stored values, and the labels of a column."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.spec.data.columns import MAX_LABELS

MAX_LABEL_LENGTH = 200  # characters
MAX_COMMON_WORDS = 20  # words that are counted
SUM_CHUNK_SIZE = 1 << 20  # numbers that are converted at once
HISTOGRAM_BINS = 20  # of equal width, from the least number to the largest


def unique_words(words: Iterable[str | None]) -> tuple[str, ...] | None:
    """Return the different words, sorted; None if there are more than 1,000, or one has more than 200 characters."""
    different: set[str] = set()
    for word in words:
        if word is not None and word not in different:
            different.add(word)
            if len(different) > MAX_LABELS or len(word) > MAX_LABEL_LENGTH:
                return None
    return tuple(sorted(different))


def count_words(words: Iterable[str | None]) -> dict[str, Any]:
    """Return the 20 most frequent words with their counts, and how many different ones there are."""
    counts = Counter(word for word in words if word is not None)
    common = {word[:MAX_LABEL_LENGTH]: count for word, count in counts.most_common(MAX_COMMON_WORDS)}
    return {"counts": common, "different": len(counts)}


def summarize(values: Tensor) -> dict[str, Any] | None:
    """Return min, mean, max, std (population) and the histogram of the finite numbers; None if there are none."""
    count, total, squares, least, most = 0, 0.0, 0.0, float("inf"), -float("inf")
    for part in _finite_parts(values):
        count += len(part)
        total += float(part.sum())
        squares += float((part * part).sum())
        least, most = min(least, float(part.min())), max(most, float(part.max()))
    if not count:
        return None
    mean = total / count
    deviation = max(0.0, squares / count - mean * mean) ** 0.5
    return {"min": least, "mean": mean, "max": most, "std": deviation} | histogram(values, least, most)


def histogram(values: Tensor, least: float, most: float) -> dict[str, list[int]]:
    """Return the numbers of finite values in 20 bins of equal width from `least` to `most`, as numpy.histogram does.

    Nothing if all values are equal, or too near each other or too far apart for bins of double precision.
    """
    if not np.isfinite(most - least) or not (np.diff(np.linspace(least, most, HISTOGRAM_BINS + 1)) > 0).all():
        return {}
    counts = np.zeros(HISTOGRAM_BINS, np.int64)
    for part in _finite_parts(values):
        counts += np.histogram(part.numpy(), HISTOGRAM_BINS, (least, most))[0]
    return {"histogram": counts.tolist()}


def _finite_parts(values: Tensor) -> Iterator[Tensor]:
    """Yield the finite numbers in double precision, a bounded number at once, none of them empty."""
    for part in values.flatten().split(SUM_CHUNK_SIZE):
        numbers = part.double()
        numbers = numbers[numbers.isfinite()]
        if len(numbers):
            yield numbers


def summarize_lengths(values: Iterable[Sized | None]) -> Mapping[str, Any] | None:
    """Return `summarize` of the lengths of the values that are there."""
    return summarize(torch.tensor([len(value) for value in values if value is not None]))
