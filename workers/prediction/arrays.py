"""Tensors, series and images of rows: checked against the stored schema, and in the form that sources have."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.spec.data.columns import Column
from workers.data.columns import RaggedTensor
from workers.data.images.decoding import ImageDecodeError, decode_image, open_image
from workers.prediction.problems import RowProblems, format_value
from workers.prediction.required_columns import ColumnValues, RequiredColumn
from workers.prediction.values import MAX_FLOAT32

Array = np.ndarray[Any, Any]
INTEGER_DTYPES = frozenset({"int64", "int32", "uint8"})
DTYPE_DESCRIPTIONS = {"bool": "booleans", **dict.fromkeys(INTEGER_DTYPES, "integers")}  # any other dtype: numbers


def parse_tensors(required: RequiredColumn, values: ColumnValues, problems: RowProblems) -> Tensor:
    """Return (rows, …), of the column's shape and dtype."""
    column = required.column
    array = _as_array(values)
    if array is None or not _is_compatible(column, array, (len(values), *column.shape)):
        array = np.stack([_parse_tensor(column, row, value, problems) for row, value in enumerate(values)])
    for row in np.flatnonzero(~_in_range(column, array)).tolist():
        hint = "send the values of the data set: rows are prepared here as in training"
        problems.add(row, required.name, "out_of_range", f"has a number outside of {_format_range(column)}", hint)
    return torch.from_numpy(np.ascontiguousarray(array)).to(getattr(torch, column.dtype))


def _parse_tensor(column: Column, row: int, value: Any, problems: RowProblems) -> Array:
    array = _as_array(value)
    if array is not None and _is_compatible(column, array, column.shape):
        return array
    expected = f"{DTYPE_DESCRIPTIONS.get(column.dtype, 'numbers')} of shape {list(column.shape)}"
    code = "wrong_type" if array is None or array.shape == column.shape else "wrong_shape"
    detail = f"must be {expected}, not {_describe_value(value, array)}"
    problems.add(row, column.name, code, detail, "nest lists accordingly")
    return np.zeros(column.shape)


def _is_compatible(column: Column, array: Array, shape: Sequence[int]) -> bool:
    return array.shape == tuple(shape) and array.dtype.kind in ("biu" if column.dtype in DTYPE_DESCRIPTIONS else "biuf")


def _max_value(column: Column) -> float | None:
    """Return the largest valid number, if it is known; the least is 0 then."""
    classes = column.classes if column.dtype in INTEGER_DTYPES else None
    return column.peak if classes is None else classes - 1


def _format_range(column: Column) -> str:
    maximum = _max_value(column)
    return "the range of float32" if maximum is None else f"0..{maximum:g}"


def _in_range(column: Column, array: Array) -> Array:
    """Return for each row whether all its numbers are valid: bool (rows)."""
    flat, maximum = array.reshape(len(array), -1), _max_value(column)
    inside = np.abs(flat.astype(np.float64)) <= MAX_FLOAT32 if maximum is None else (flat >= 0) & (flat <= maximum)
    return np.asarray(inside.all(1))


def _as_array(value: Any) -> Array | None:
    """Return nested lists of numbers as an array; `None` if they hold anything else, or have unlike lengths."""
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, TypeError):
        return None
    return array if array.dtype.kind in "biuf" else None


def _describe_value(value: Any, array: Array | None) -> str:
    if array is None:
        return format_value(value) + (" with other values or unlike lengths" if isinstance(value, list) else "")
    if not array.shape:
        return format_value(value)
    dtype = {"b": "booleans", "f": "numbers"}.get(array.dtype.kind, "integers")
    return f"{dtype} of shape {list(array.shape)}"


def parse_series(required: RequiredColumn, values: ColumnValues, problems: RowProblems) -> RaggedTensor:
    """Return rows of float32 (length, …); a missing series is empty."""
    rows = []
    for row, value in enumerate(values):
        array = _parse_time_series(required, row, value, problems)
        if required.max_length is not None and len(array) > required.max_length:
            detail = f"has {len(array)} time steps, at most {required.max_length} were in the training data"
            hint = "send shorter series, or train with a max_length on the feature, which truncates longer ones"
            problems.add(row, required.name, "too_long", detail, hint)
        rows.append(torch.from_numpy(np.ascontiguousarray(array, np.float32)))
    return RaggedTensor.from_rows(rows)


def _parse_time_series(required: RequiredColumn, row: int, value: Any, problems: RowProblems) -> Array:
    shape = required.column.shape
    if value is None:
        return np.zeros((0, *shape))
    array = _as_array(value) if isinstance(value, list | np.ndarray) else None
    if array is not None and array.shape == (0,):
        return np.zeros((0, *shape))
    if array is None or array.shape[1:] != shape:
        step = f"a list of shape {list(shape)}" if shape else "a number"
        detail = f"must be a list with {step} for each time step, not {_describe_value(value, array)}"
        problems.add(row, required.name, "wrong_type" if array is None else "wrong_shape", detail)
        return np.zeros((1, *shape))
    if not (np.abs(array.astype(np.float64)) <= MAX_FLOAT32).all():
        problems.add(row, required.name, "out_of_range", "has a number outside of the range of float32")
        return np.zeros((1, *shape))
    return array


@dataclass(frozen=True)
class InMemoryImages:
    """Images of rows, in memory."""

    images: Sequence[Tensor]  # uint8 (channels, height, width), each of its own size

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Tensor) -> "InMemoryImages":
        """Return the images of these rows."""
        return InMemoryImages([self.images[row] for row in indices.tolist()])

    def read(self, row: int) -> Tensor:
        """Return an image: uint8 (channels, height, width)."""
        return self.images[row]


def parse_images(required: RequiredColumn, values: ColumnValues, problems: RowProblems) -> InMemoryImages:
    """Return an image for each row, from a file, a file in base64, or numbers (channels, height, width)."""
    return InMemoryImages([_parse_image(required.column, row, value, problems) for row, value in enumerate(values)])


def _parse_image(column: Column, row: int, value: Any, problems: RowProblems) -> Tensor:
    channels = column.shape[0] if column.shape else 3
    blank = torch.zeros(channels, 1, 1, dtype=torch.uint8)
    try:
        if isinstance(value, str | bytes):
            content = base64.b64decode(value, validate=True) if isinstance(value, str) else value
            return decode_image(open_image(content), channels)
    except (ImageDecodeError, binascii.Error, ValueError) as error:
        detail = f"is an image file that cannot be decoded: {error}"
        problems.add(row, column.name, "not_an_image", detail, "encode the bytes of a PNG or JPEG file in base64")
        return blank
    array = _as_array(value)
    if array is None or array.ndim != 3 or len(array) != channels or not array.size or array.dtype.kind not in "iu":
        expected = f"a file in base64, or integers of shape [{channels}, height, width]"
        detail = f"must be {expected}, not {_describe_value(value, array)}"
        problems.add(row, column.name, "not_an_image", detail)
        return blank
    if array.min() < 0 or array.max() > 255:
        problems.add(row, column.name, "out_of_range", "has a number outside of 0..255", "send the bytes of the image")
        return blank
    return torch.from_numpy(array.astype(np.uint8))
