"""Tensors, series and pictures of rows: checked against the stored schema, and in the form that sources have."""

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
DTYPE_DESCRIPTIONS = {
    "bool": "truth values",
    **dict.fromkeys(INTEGER_DTYPES, "whole numbers"),
}  # any other type: numbers


def parse_tensors(wanted: RequiredColumn, values: ColumnValues, found: RowProblems) -> Tensor:
    """Return (rows, …), of the column's shape and type."""
    column = wanted.column
    whole = _as_array(values)
    if whole is None or not _is_compatible(column, whole, (len(values), *column.shape)):
        whole = np.stack([_parse_tensor(column, row, value, found) for row, value in enumerate(values)])
    for row in np.flatnonzero(~_in_range(column, whole)).tolist():
        hint = "send what the data set holds: rows are prepared here, as in training"
        found.add(row, wanted.name, "out_of_range", f"has a number outside of {_format_range(column)}", hint)
    return torch.from_numpy(np.ascontiguousarray(whole)).to(getattr(torch, column.dtype))


def _parse_tensor(column: Column, row: int, value: Any, found: RowProblems) -> Array:
    array = _as_array(value)
    if array is not None and _is_compatible(column, array, column.shape):
        return array
    what = f"has {DTYPE_DESCRIPTIONS.get(column.dtype, 'numbers')} of shape {list(column.shape)}"
    code = "wrong_type" if array is None or array.shape == column.shape else "wrong_shape"
    found.add(row, column.name, code, f"{what}; {_describe_value(value, array)}", "nest lists accordingly")
    return np.zeros(column.shape)


def _is_compatible(column: Column, array: Array, shape: Sequence[int]) -> bool:
    return array.shape == tuple(shape) and array.dtype.kind in ("biu" if column.dtype in DTYPE_DESCRIPTIONS else "biuf")


def _max_value(column: Column) -> float | None:
    """Return the largest number that there can be, if that is known; the least is 0 then."""
    classes = column.classes if column.dtype in INTEGER_DTYPES else None
    return column.peak if classes is None else classes - 1


def _format_range(column: Column) -> str:
    most = _max_value(column)
    return "what float32 holds" if most is None else f"0..{most:g}"


def _in_range(column: Column, whole: Array) -> Array:
    """Return for each row whether its numbers are those that the column can hold."""
    flat, most = whole.reshape(len(whole), -1), _max_value(column)
    inside = np.abs(flat.astype(np.float64)) <= MAX_FLOAT32 if most is None else (flat >= 0) & (flat <= most)
    return np.asarray(inside.all(1))


def _as_array(value: Any) -> Array | None:
    """Return numbers in nested lists as an array; `None` where they are no numbers, or lists that are unlike."""
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, TypeError):
        return None
    return array if array.dtype.kind in "biuf" else None


def _describe_value(value: Any, array: Array | None) -> str:
    if array is None or not array.shape:
        unlike = array is None and isinstance(value, list)
        return f"{format_value(value)} is none" + (", or its lists are unlike" if unlike else "")
    kind = {"b": "truth values", "f": "numbers"}.get(array.dtype.kind, "whole numbers")
    return f"these are {kind} of shape {list(array.shape)}"


def parse_series(wanted: RequiredColumn, values: ColumnValues, found: RowProblems) -> RaggedTensor:
    """Return rows of float32 (length, …); an empty one where it is missing."""
    kept = []
    for row, value in enumerate(values):
        array = _parse_time_series(wanted, row, value, found)
        if wanted.max_length is not None and len(array) > wanted.max_length:
            detail = f"has {len(array)} moments, training saw at most {wanted.max_length}"
            hint = "send shorter ones; a job whose feature has a max_length cuts the end off"
            found.add(row, wanted.name, "too_long", detail, hint)
        kept.append(torch.from_numpy(np.ascontiguousarray(array, np.float32)))
    return RaggedTensor.from_rows(kept)


def _parse_time_series(wanted: RequiredColumn, row: int, value: Any, found: RowProblems) -> Array:
    shape = wanted.column.shape
    if value is None:
        return np.zeros((0, *shape))
    array = _as_array(value) if isinstance(value, list | np.ndarray) else None
    if array is not None and array.shape == (0,):
        return np.zeros((0, *shape))
    if array is None or array.shape[1:] != shape:
        moments = f"lists of shape {list(shape)}" if shape else "numbers"
        detail = f"is a list of {moments}, one for each moment; {_describe_value(value, array)}"
        found.add(row, wanted.name, "wrong_type" if array is None else "wrong_shape", detail)
        return np.zeros((1, *shape))
    if not (np.abs(array.astype(np.float64)) <= MAX_FLOAT32).all():
        found.add(row, wanted.name, "out_of_range", "has a number outside of what float32 holds")
        return np.zeros((1, *shape))
    return array


@dataclass(frozen=True)
class InMemoryImages:
    """Pictures that came with the rows, in memory."""

    images: Sequence[Tensor]  # uint8 (channels, height, width), each of its own size

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Tensor) -> "InMemoryImages":
        """Return these rows alone."""
        return InMemoryImages([self.images[row] for row in indices.tolist()])

    def read(self, row: int) -> Tensor:
        """Return a picture."""
        return self.images[row]


def parse_images(wanted: RequiredColumn, values: ColumnValues, found: RowProblems) -> InMemoryImages:
    """Return a picture for each row, of a file in base64, of its bytes, or of numbers."""
    return InMemoryImages([_parse_image(wanted.column, row, value, found) for row, value in enumerate(values)])


def _parse_image(column: Column, row: int, value: Any, found: RowProblems) -> Tensor:
    channels = column.shape[0] if column.shape else 3
    nothing = torch.zeros(channels, 1, 1, dtype=torch.uint8)
    try:
        if isinstance(value, str | bytes):
            content = base64.b64decode(value, validate=True) if isinstance(value, str) else value
            return decode_image(open_image(content), channels)
    except (ImageDecodeError, binascii.Error, ValueError) as error:
        detail = f"is the file of a picture, which cannot be decoded: {error}"
        found.add(row, column.name, "not_an_image", detail, "encode the bytes of a PNG or JPEG file in base64")
        return nothing
    array = _as_array(value)
    if array is None or array.ndim != 3 or len(array) != channels or not array.size or array.dtype.kind not in "iu":
        detail = f"is a file in base64, or bytes of shape [{channels}, height, width]; {_describe_value(value, array)}"
        found.add(row, column.name, "not_an_image", detail)
        return nothing
    if array.min() < 0 or array.max() > 255:
        found.add(row, column.name, "out_of_range", "has a number outside of 0..255", "a picture's numbers are bytes")
        return nothing
    return torch.from_numpy(array.astype(np.uint8))
