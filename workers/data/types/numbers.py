"""Numbers, which may be missing."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.spec.data.columns import Column
from workers.data.files.problems import format_value
from workers.data.types.base import BaseColumnType, ProblemSink, Statistics, ValueLimits
from workers.data.types.statistics import summarize
from workers.data.types.values import BOOLEAN_VALUES, MAX_EXACT_INTEGER, MISSING_VALUES, Values, to_float

MAX_CATEGORIES = 20  # with so many different whole numbers a column is a choice, with more a quantity
MAX_FLOAT32 = float(torch.finfo(torch.float32).max)
CHUNK_SIZE = 1 << 16  # numbers that are looked through at once
NULL_HINT = "write null if the value is missing"


class NumberType(BaseColumnType):
    """float64 (N), NaN where a number is missing."""

    family = float

    @classmethod
    def decode(cls, text: str) -> float | str | None:
        """Return the number in a cell, 1.0 for true and 0.0 for false; a cell without one, as it is."""
        word = text.strip()
        lower = word.lower()
        if lower in MISSING_VALUES:
            return None
        if lower in BOOLEAN_VALUES:
            return BOOLEAN_VALUES[lower]
        try:
            number = float(word)
        except ValueError:
            return word
        return word if "_" in word or np.isnan(number) else number

    @classmethod
    def parse(cls, values: Values, column: Column, problems: ProblemSink, limits: ValueLimits | None = None) -> Tensor:
        """Return float64 (N). In a request, numbers beyond the range of float32 are problems."""
        if isinstance(values, np.ndarray):
            numbers = values.astype(np.float64, copy=False)
        else:
            numbers = np.array([cls._number(row, value, column, problems) for row, value in enumerate(values)], float)
        bad = np.isinf(numbers) if limits is None else np.abs(numbers) > MAX_FLOAT32
        for row in np.flatnonzero(bad).tolist():
            if limits is None:
                detail = f"expected a finite number, got {numbers[row]}"
                problems.add_value(row, column.name, "not_a_number", detail, "leave it out if it is missing")
            else:
                detail = f"{numbers[row]:g} is beyond the range of float32"
                problems.add_value(row, column.name, "out_of_range", detail, "use a smaller number")
        if limits is not None and limits.is_required:
            for row in np.flatnonzero(np.isnan(numbers)).tolist():
                hint = "the network was trained on rows without missing values"
                problems.add_value(row, column.name, "missing_value", "the number is missing", hint)
        return torch.from_numpy(numbers)

    @classmethod
    def _number(cls, row: int, value: object, column: Column, problems: ProblemSink) -> float:
        if value is None:
            return float("nan")
        if isinstance(value, int | float):
            return to_float(value)
        detail = f"expected a number, got {format_value(value)}"
        problems.add_value(row, column.name, "wrong_type", detail, NULL_HINT)
        return 0.0

    @classmethod
    def describe(cls, column: Column, stored: Tensor) -> Column:
        """Add labels if the numbers are whole and have at most 20 different values."""
        labels = _integer_labels(stored.numpy())
        return column.model_copy(update={"labels": labels, "classes": labels and len(labels)})

    @classmethod
    def statistics(cls, stored: Tensor) -> Statistics | None:
        """Return min, mean, max and std."""
        return summarize(stored)


def _integer_labels(values: np.ndarray[Any, Any]) -> tuple[str, ...] | None:
    """Return the different numbers as text, in order, if they are few and whole."""
    different: set[float] = set()
    for start in range(0, len(values), CHUNK_SIZE):
        part = values[start : start + CHUNK_SIZE]
        different |= set(np.unique(part[~np.isnan(part)]).tolist())
        if len(different) > MAX_CATEGORIES:
            return None
    if not different or not all(value.is_integer() and abs(value) < MAX_EXACT_INTEGER for value in different):
        return None
    return tuple(str(int(value)) for value in sorted(different))
