"""Every column type by its name, and which one values are of."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from app.spec.data.columns import ColumnType
from workers.data.types.arrays import SeriesType, TensorType
from workers.data.types.base import BaseColumnType
from workers.data.types.datetimes import DatetimeType
from workers.data.types.images import ImageType
from workers.data.types.numbers import NumberType
from workers.data.types.texts import CategoryType, TextType, WordsType
from workers.data.types.trees import TreeType
from workers.data.types.values import EMPTY_LIST, MAJORITY_FRACTION, MIN_MAJORITY_ROWS, Values, is_inexact_integer

# Type → class. Of two types of a family the first that recognises the values is taken.
TYPE_CLASSES: Mapping[ColumnType, type[BaseColumnType]] = {
    "tensor": TensorType,
    "datetime": DatetimeType,
    "number": NumberType,
    "category": CategoryType,
    "text": TextType,
    "words": WordsType,
    "series": SeriesType,
    "tree": TreeType,
    "image": ImageType,
}
SCALAR_FAMILIES = frozenset({float, str})


def infer_type(values: Values, is_target: bool) -> ColumnType:
    """Return the type that most values have; numbers mixed with text are text."""
    family = _majority_family(values)
    if family is float:
        return "number"
    types = ((name, kind) for name, kind in TYPE_CLASSES.items() if family in kind.families)
    return next(name for name, kind in types if kind.infer(values, is_target))


def _majority_family(values: Values) -> type:
    if isinstance(values, np.ndarray):
        return float
    if any(map(is_inexact_integer, values)):
        return str  # an identifier, of which a float has not all digits
    counts = Counter(value_family(value) for value in values if value is not None and value is not EMPTY_LIST)
    if not counts:
        return tuple if any(value is EMPTY_LIST for value in values) else float
    family, count = counts.most_common(1)[0]
    few = len(values) <= MIN_MAJORITY_ROWS or count < MAJORITY_FRACTION * counts.total()
    return str if len(counts) > 1 and counts.keys() <= SCALAR_FAMILIES and few else family


def value_family(value: object) -> type:
    """Return the family of a compacted value: float for bool and int, else its own type."""
    return float if isinstance(value, int | float) else type(value)
