"""Tensors and series: nested lists of numbers, of one shape per row or of any length."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.spec.data.columns import Column, ColumnType
from workers.data.columns import RaggedTensor
from workers.data.files.problems import format_value
from workers.data.types.base import JsonColumnType, ProblemSink, Statistics, ValueLimits, split_list
from workers.data.types.numbers import MAX_FLOAT32
from workers.data.types.statistics import summarize
from workers.data.types.values import Values, as_array, as_list, narrow_floats, number_array

Array = np.ndarray[Any, Any]
INTEGER_DTYPES = frozenset({"int64", "int32", "uint8"})
DTYPE_DESCRIPTIONS = {"bool": "booleans", **dict.fromkeys(INTEGER_DTYPES, "integers")}  # else: numbers
KIND_DESCRIPTIONS = {"b": "booleans", "f": "numbers"}  # of the kinds of NumPy; else: integers


class TensorType(JsonColumnType):
    """(N, …) of one shape and dtype."""

    families = frozenset({np.ndarray})
    nullable = False

    @classmethod
    def infer(cls, values: Values, is_target: bool) -> bool:
        """Return whether all lists have one shape, and none is missing."""
        return len(shapes := {None if value is None else np.shape(value) for value in values}) == 1 and shapes != {None}

    @classmethod
    def draft(cls, name: str, kind: ColumnType, values: Values, cell_format: str | None = None) -> Column:
        """Return the shape that most lists have; int64 if all numbers are whole, else float32."""
        arrays = [array for value in as_list(values) if (array := _list_array(value)) is not None and array.size]
        whole = all(array.dtype.kind in "iub" for array in arrays)
        shape = _common_shape([array.shape for array in arrays])
        return Column(name=name, shape=shape, dtype="int64" if whole else "float32")

    @classmethod
    def parse(cls, values: Values, column: Column, problems: ProblemSink, limits: ValueLimits | None = None) -> Tensor:
        """Return (N, *column.shape) of the column's dtype; of float32 perhaps in float64, which scaling makes use of.

        In a request, numbers have the column's range.
        """
        # a scalar per row is a tensor only in a schema of arrays, which a request may be about
        array = as_array(values) if column.shape or limits is not None else None
        if array is None or not _is_compatible(column, array, (len(values), *column.shape)):
            rows = [cls._tensor(row, value, column, problems, limits) for row, value in enumerate(as_list(values))]
            array = np.stack(rows)
        for row in () if limits is None else np.flatnonzero(~_in_range(column, array)).tolist():
            detail = f"has a number outside of {_format_range(column)}"
            hint = "send values as the data set holds them: they are prepared as in training"
            problems.add_value(row, column.name, "out_of_range", detail, hint)
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        is_exact = tensor.dtype == torch.float64 and column.dtype == "float32"
        return tensor if is_exact else tensor.to(getattr(torch, column.dtype))

    @classmethod
    def _tensor(
        cls, row: int, value: object, column: Column, problems: ProblemSink, limits: ValueLimits | None
    ) -> Array:
        array = as_array(value) if limits is not None else _list_array(value)
        if array is not None and _is_compatible(column, array, column.shape):
            return array
        kind = DTYPE_DESCRIPTIONS.get(column.dtype, "numbers")
        shape = f"of shape {list(column.shape)}" if column.shape or limits is not None else "in a list"
        detail = f"expected {kind} {shape}, got {_describe(value, array)}"
        code = "wrong_type" if array is None or array.shape == column.shape else "wrong_shape"
        if value is None and limits is None:
            code = "missing_value"
        problems.add_value(row, column.name, code, detail, "every row is a nested list of this shape")
        return np.zeros(column.shape, np.float32)

    @classmethod
    def statistics(cls, stored: Tensor) -> Statistics | None:
        """Return min, mean, max and std."""
        return summarize(stored)


class SeriesType(JsonColumnType):
    """Rows of numbers (length, …), empty where the series is missing: float32, or float64 if that lacks digits."""

    families = frozenset({np.ndarray})

    @classmethod
    def decode(cls, text: str) -> object:
        """Return the list in a cell: JSON, or numbers between `|`, `;`, commas or blanks; `None` for an empty cell."""
        value = super().decode(text)
        try:
            return number_array(list(map(float, split_list(value)))) if isinstance(value, str) else value
        except ValueError:
            return value

    @classmethod
    def draft(cls, name: str, kind: ColumnType, values: Values, cell_format: str | None = None) -> Column:
        """Return the shape that most time steps have."""
        arrays = [array for value in as_list(values) if (array := _list_array(value)) is not None and len(array)]
        column = super().draft(name, kind, values)
        return column.model_copy(update={"shape": _common_shape([array.shape[1:] for array in arrays])})

    @classmethod
    def parse(
        cls, values: Values, column: Column, problems: ProblemSink, limits: ValueLimits | None = None
    ) -> RaggedTensor:
        """Return N rows of (length, *column.shape); in a request as precise as they are sent."""
        rows = [cls._series(row, value, column, problems, limits) for row, value in enumerate(as_list(values))]
        offsets = torch.tensor([0, *map(len, rows)]).cumsum(0)
        values = np.concatenate(rows).astype(np.float64)
        return RaggedTensor(torch.from_numpy(values if limits is not None else narrow_floats(values)), offsets)

    @classmethod
    def _series(
        cls, row: int, value: object, column: Column, problems: ProblemSink, limits: ValueLimits | None
    ) -> Array:
        empty = np.empty((0, *column.shape), np.float32)
        array = _list_array(value)
        if value is None or (array is not None and array.shape == (0,)):
            return empty
        if array is None or array.shape[1:] != column.shape:
            step = f"lists of shape {list(column.shape)}" if column.shape else "numbers"
            detail = f"expected a list of {step}, one per time step, got {_describe(value, array)}"
            problems.add_value(row, column.name, "wrong_type" if array is None else "wrong_shape", detail)
            return empty
        if limits is not None and not (np.abs(array.astype(np.float64)) <= MAX_FLOAT32).all():
            problems.add_value(row, column.name, "out_of_range", "has a number beyond the range of float32")
            return empty
        if limits is not None and limits.max_length is not None and len(array) > limits.max_length:
            detail = f"has {len(array):,} time steps, the network was trained on at most {limits.max_length:,}"
            hint = "send shorter series; a job whose feature has a max_length truncates them"
            problems.add_value(row, column.name, "too_long", detail, hint)
        return array

    @classmethod
    def describe(cls, column: Column, stored: RaggedTensor) -> Column:
        """Add the largest number of time steps."""
        return column.model_copy(update={"longest": int(stored.lengths.max())})

    @classmethod
    def statistics(cls, stored: RaggedTensor) -> Statistics | None:
        """Return statistics of the lengths and of the numbers."""
        return {"lengths": summarize(stored.lengths), "values": summarize(stored.values)}


def _list_array(value: object) -> Array | None:
    """Return a list of numbers as an array; None for anything else, also for a number."""
    return as_array(value) if isinstance(value, list | tuple | np.ndarray) else None


def _common_shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return Counter(shapes).most_common(1)[0][0] if shapes else ()


def _is_compatible(column: Column, array: Array, shape: Sequence[int]) -> bool:
    return array.shape == tuple(shape) and array.dtype.kind in ("biu" if column.dtype in DTYPE_DESCRIPTIONS else "biuf")


def _max_value(column: Column) -> float | None:
    """Return the largest number there can be, if it is known; the smallest is 0 then."""
    classes = column.classes if column.dtype in INTEGER_DTYPES else None
    return column.peak if classes is None else classes - 1


def _format_range(column: Column) -> str:
    most = _max_value(column)
    return "the range of float32" if most is None else f"0..{most:g}"


def _in_range(column: Column, array: Array) -> Array:
    """Return for each row whether its numbers are in the range of the column: bool (N)."""
    flat, most = array.reshape(len(array), -1), _max_value(column)
    inside = np.abs(flat.astype(np.float64)) <= MAX_FLOAT32 if most is None else (flat >= 0) & (flat <= most)
    return np.asarray(inside.all(1))


def _describe(value: object, array: Array | None) -> str:
    if array is None or not array.shape:
        unlike = " that are not all numbers, or lists of unlike lengths" if isinstance(value, list | tuple) else ""
        return format_value(value) + unlike
    return f"{KIND_DESCRIPTIONS.get(array.dtype.kind, 'integers')} of shape {list(array.shape)}"
