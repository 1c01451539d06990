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
from workers.data.columns import Ragged
from workers.data.images.decoding import Undecodable, decoded, opened
from workers.prediction.columns import Values, Wanted
from workers.prediction.problems import Findings, shown
from workers.prediction.values import LARGEST

Array = np.ndarray[Any, Any]
WHOLE = frozenset({"int64", "int32", "uint8"})
MADE_OF = {"bool": "truth values", **dict.fromkeys(WHOLE, "whole numbers")}  # any other type: numbers


def tensors(wanted: Wanted, values: Values, found: Findings) -> Tensor:
    """Return (rows, …), of the column's shape and type."""
    column = wanted.column
    whole = _array(values)
    if whole is None or not _fits(column, whole, (len(values), *column.shape)):
        whole = np.stack([_one(column, row, value, found) for row, value in enumerate(values)])
    for row in np.flatnonzero(~_within(column, whole)).tolist():
        hint = "send what the data set holds: rows are prepared here, as in training"
        found.add(row, wanted.name, "out_of_range", f"has a number outside of {_range(column)}", hint)
    return torch.from_numpy(np.ascontiguousarray(whole)).to(getattr(torch, column.dtype))


def _one(column: Column, row: int, value: Any, found: Findings) -> Array:
    array = _array(value)
    if array is not None and _fits(column, array, column.shape):
        return array
    what = f"has {MADE_OF.get(column.dtype, 'numbers')} of shape {list(column.shape)}"
    code = "wrong_type" if array is None or array.shape == column.shape else "wrong_shape"
    found.add(row, column.name, code, f"{what}; {_described(value, array)}", "nest lists accordingly")
    return np.zeros(column.shape)


def _fits(column: Column, array: Array, shape: Sequence[int]) -> bool:
    return array.shape == tuple(shape) and array.dtype.kind in ("biu" if column.dtype in MADE_OF else "biuf")


def _most(column: Column) -> float | None:
    """Return the largest number that there can be, if that is known; the least is 0 then."""
    classes = column.classes if column.dtype in WHOLE else None
    return column.peak if classes is None else classes - 1


def _range(column: Column) -> str:
    most = _most(column)
    return "what float32 holds" if most is None else f"0..{most:g}"


def _within(column: Column, whole: Array) -> Array:
    """Return for each row whether its numbers are those that the column can hold."""
    flat, most = whole.reshape(len(whole), -1), _most(column)
    inside = np.abs(flat.astype(np.float64)) <= LARGEST if most is None else (flat >= 0) & (flat <= most)
    return np.asarray(inside.all(1))


def _array(value: Any) -> Array | None:
    """Return numbers in nested lists as an array; `None` where they are no numbers, or lists that are unlike."""
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, TypeError):
        return None
    return array if array.dtype.kind in "biuf" else None


def _described(value: Any, array: Array | None) -> str:
    if array is None or not array.shape:
        unlike = array is None and isinstance(value, list)
        return f"{shown(value)} is none" + (", or its lists are unlike" if unlike else "")
    kind = {"b": "truth values", "f": "numbers"}.get(array.dtype.kind, "whole numbers")
    return f"these are {kind} of shape {list(array.shape)}"


def series(wanted: Wanted, values: Values, found: Findings) -> Ragged:
    """Return rows of float32 (length, …); an empty one where it is missing."""
    kept = []
    for row, value in enumerate(values):
        array = _over_time(wanted, row, value, found)
        if wanted.longest is not None and len(array) > wanted.longest:
            detail = f"has {len(array)} moments, training saw at most {wanted.longest}"
            hint = "send shorter ones; a job whose feature has a max_length cuts the end off"
            found.add(row, wanted.name, "too_long", detail, hint)
        kept.append(torch.from_numpy(np.ascontiguousarray(array, np.float32)))
    return Ragged.of(kept)


def _over_time(wanted: Wanted, row: int, value: Any, found: Findings) -> Array:
    shape = wanted.column.shape
    if value is None:
        return np.zeros((0, *shape))
    array = _array(value) if isinstance(value, list | np.ndarray) else None
    if array is not None and array.shape == (0,):
        return np.zeros((0, *shape))
    if array is None or array.shape[1:] != shape:
        moments = f"lists of shape {list(shape)}" if shape else "numbers"
        detail = f"is a list of {moments}, one for each moment; {_described(value, array)}"
        found.add(row, wanted.name, "wrong_type" if array is None else "wrong_shape", detail)
        return np.zeros((1, *shape))
    if not (np.abs(array.astype(np.float64)) <= LARGEST).all():
        found.add(row, wanted.name, "out_of_range", "has a number outside of what float32 holds")
        return np.zeros((1, *shape))
    return array


@dataclass(frozen=True)
class Seen:
    """Pictures that came with the rows, in memory."""

    pictures: Sequence[Tensor]  # uint8 (channels, height, width), each of its own size

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, indices: Tensor) -> "Seen":
        """Return these rows alone."""
        return Seen([self.pictures[row] for row in indices.tolist()])

    def read(self, row: int) -> Tensor:
        """Return a picture."""
        return self.pictures[row]


def images(wanted: Wanted, values: Values, found: Findings) -> Seen:
    """Return a picture for each row, of a file in base64, of its bytes, or of numbers."""
    return Seen([_image(wanted.column, row, value, found) for row, value in enumerate(values)])


def _image(column: Column, row: int, value: Any, found: Findings) -> Tensor:
    channels = column.shape[0] if column.shape else 3
    nothing = torch.zeros(channels, 1, 1, dtype=torch.uint8)
    try:
        if isinstance(value, str | bytes):
            content = base64.b64decode(value, validate=True) if isinstance(value, str) else value
            return decoded(opened(content), channels)
    except (Undecodable, binascii.Error, ValueError) as error:
        detail = f"is the file of a picture, which cannot be decoded: {error}"
        found.add(row, column.name, "not_an_image", detail, "encode the bytes of a PNG or JPEG file in base64")
        return nothing
    array = _array(value)
    if array is None or array.ndim != 3 or len(array) != channels or not array.size or array.dtype.kind not in "iu":
        detail = f"is a file in base64, or bytes of shape [{channels}, height, width]; {_described(value, array)}"
        found.add(row, column.name, "not_an_image", detail)
        return nothing
    if array.min() < 0 or array.max() > 255:
        found.add(row, column.name, "out_of_range", "has a number outside of 0..255", "a picture's numbers are bytes")
        return nothing
    return torch.from_numpy(array.astype(np.uint8))
