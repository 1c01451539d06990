"""Uploaded arrays: NPZ and safetensors here, CSV beside it. Read without pickle, and with every doubt a problem."""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from re import fullmatch
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.base import NAME_PATTERN
from app.spec.columns import Column, DataSchema
from workers.data.csv_table import read_csv

LIMIT = 8 << 30  # bytes of unpacked content
SPLITS = ("train", "test")
TARGETS = ("y", "label", "labels", "target", "targets")
MOST_CLASSES = 1_000_000
PREVIEW_ROWS, PREVIEW_VALUES = 5, 64

# Stored type → what a network sees; bytes depend on the shape, see `_dtype`.
SEEN: Mapping[torch.dtype, str] = {
    torch.float16: "float32", torch.bfloat16: "float32", torch.float32: "float32", torch.float64: "float32",
    torch.int8: "int64", torch.int16: "int64", torch.int32: "int64", torch.int64: "int64", torch.bool: "bool",
}  # fmt: skip


@dataclass(frozen=True)
class Content:
    """Columns by split, as stored, and the words behind integer labels."""

    splits: Mapping[str, Mapping[str, Tensor]]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    target: str | None = None  # what is learned, where the content says so itself


@dataclass(frozen=True)
class Description:
    """What an upload turned out to be: a schema and its first rows, or problems."""

    schema: DataSchema | None
    preview: list[dict[str, Any]]
    problems: tuple[Problem, ...]


def describe(path: Path, content_format: str, target: str | None = None, limit: int = LIMIT) -> Description:
    """Read an upload whole and say what is in it. Meant for a process with limits: the content is a stranger's.

    `content_format` is npz, safetensors or csv; `target` names the CSV column that is learned (default: the last).
    """
    try:
        content = read(path, content_format, target, limit)
    except InvalidInput as error:
        return Description(None, [], error.problems)
    train = content.splits["train"]
    columns = tuple(_column(name, content) for name in train)
    rows = {split: len(next(iter(held.values()))) for split, held in content.splits.items()}
    label = content.target or next((name for name in TARGETS if name in train), None)
    inputs = tuple(name for name in train if name != label)
    schema = DataSchema(columns=columns, rows=rows, inputs=inputs or tuple(train), target=label if inputs else None)
    return Description(schema, _preview(train), ())


def read(path: Path, content_format: str, target: str | None = None, limit: int = LIMIT) -> Content:
    """Read the columns of an upload. Raises `InvalidInput` with every problem found."""
    if content_format == "csv":
        table = read_csv(path, target, limit)
        return Content({"train": table.columns}, {table.target: table.labels} if table.labels else {},
                       {table.target: table.classes} if table.classes else {}, table.target)  # fmt: skip
    readers = {"npz": _npz, "safetensors": _safetensors}
    if content_format not in readers:
        raise InvalidInput([Problem("", "wrong_format", f'there is no format "{content_format}"',
                                    "one of: npz, safetensors, csv")])  # fmt: skip
    try:
        arrays, problems = readers[content_format](path, limit)
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, SafetensorError) as error:
        detail = f"the file cannot be read as {content_format}: {error or type(error).__name__}"
        hint = "it may be truncated: compare its size or SHA-256 with the original, and upload it again"
        raise InvalidInput([Problem("", "unreadable", detail, hint)]) from None
    splits = _splits(arrays)
    if arrays or not problems:
        problems += _problems(splits)
    if problems:
        raise InvalidInput(problems)
    return Content(splits)


def _npz(path: Path, limit: int) -> tuple[dict[str, Tensor], list[Problem]]:
    if not zipfile.is_zipfile(path):
        raise ValueError("not a NumPy archive")
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > limit:
        return {}, [Problem("", "too_large", f"{size} bytes unpacked, at most {limit} are allowed")]
    arrays: dict[str, Tensor] = {}
    problems = []
    with np.load(path, allow_pickle=False) as content:
        for name in content.files:
            array = content[name]
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
                kind = getattr(array, "dtype", "no array")
                problems.append(Problem(f"/{name}", "unsupported_dtype", f'"{name}" holds {kind}', "store numbers"))
            else:
                arrays[name] = _tensor(array)
    return arrays, problems


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    """Wrap an array; byte orders and unsigned types that torch does not know are widened."""
    wider = {"u2": "i4", "u4": "i8", "u8": "i8"}.get(f"{array.dtype.kind}{array.dtype.itemsize}")
    native = array.astype(wider or array.dtype.newbyteorder("="), order="C", copy=False)
    return torch.from_numpy(native)


def _safetensors(path: Path, limit: int) -> tuple[dict[str, Tensor], list[Problem]]:
    if path.stat().st_size > limit:
        return {}, [Problem("", "too_large", f"{path.stat().st_size} bytes, at most {limit} are allowed")]
    with safe_open(path, framework="pt") as content:
        return {name: content.get_tensor(name).clone() for name in content.keys()}, []  # noqa: SIM118 - not a mapping


def _splits(arrays: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Sort `train/x` and `test/x` into splits; names without a prefix are for training."""
    splits: dict[str, dict[str, Tensor]] = {}
    for name, array in arrays.items():
        split, slash, column = name.partition("/")
        known = slash and split in SPLITS
        splits.setdefault(split if known else "train", {})[column if known else name] = array
    return splits


def _problems(splits: Mapping[str, Mapping[str, Tensor]]) -> list[Problem]:
    if not splits.get("train"):
        return [Problem("", "no_columns", "there are no training columns", "store arrays such as x and y")]
    problems = []
    train = splits["train"]
    for split, columns in splits.items():
        rows = {name: len(column) for name, column in columns.items() if column.ndim}
        for name, column in columns.items():
            place = f"/{split}/{name}" if len(splits) > 1 else f"/{name}"
            if not fullmatch(NAME_PATTERN, name):
                problems.append(Problem(place, "invalid_name", f'"{name}" is no name', "letters, digits, underscores"))
            if column.ndim == 0 or 0 in column.shape:
                problems.append(
                    Problem(place, "no_rows", f'"{name}" has shape {list(column.shape)}', "rows come first")
                )
            elif column.dtype not in SEEN and column.dtype != torch.uint8:
                problems.append(Problem(place, "unsupported_dtype", f'"{name}" holds {column.dtype}', "store numbers"))
        if len(set(rows.values())) > 1:
            counts = ", ".join(f"{name} has {count}" for name, count in rows.items())
            problems.append(Problem(f"/{split}", "row_count", f"the columns differ in length: {counts}",
                                    "the first dimension of every array counts the examples"))  # fmt: skip
        if {name: column.shape[1:] for name, column in columns.items()} != {
            name: column.shape[1:] for name, column in train.items()
        }:
            problems.append(Problem(f"/{split}", "columns_differ", f'"{split}" has other columns than "train"',
                                    "give both splits the same names and shapes"))  # fmt: skip
    return problems


def _dtype(column: Tensor) -> str:
    """Bytes with a shape are images, which networks see as numbers; single bytes are labels or codes."""
    if column.dtype == torch.uint8:
        return "float32" if column.ndim > 2 else "int64"
    return SEEN[column.dtype]


def _column(name: str, content: Content) -> Column:
    column = content.splits["train"][name]
    dtype = _dtype(column)
    peak = 255.0 if column.dtype == torch.uint8 and column.ndim > 2 else None
    classes = content.classes.get(name)
    if classes is None and name in TARGETS and dtype == "int64" and column.ndim == 1:
        parts = [held[name] for held in content.splits.values()]
        least, most = min(int(part.min()) for part in parts), max(int(part.max()) for part in parts)
        classes = most + 1 if least >= 0 and most < MOST_CLASSES else None
    return Column.model_validate({"name": name, "shape": tuple(column.shape[1:]), "dtype": dtype, "classes": classes,
                                  "labels": content.labels.get(name), "peak": peak})  # fmt: skip


def _preview(columns: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    rows = min(PREVIEW_ROWS, len(next(iter(columns.values()))))
    return [{name: _short(column[row]) for name, column in columns.items()} for row in range(rows)]


def _short(value: Tensor) -> Any:
    """Return a value in JSON; of a large one, its first numbers. What is no number is null."""
    if value.numel() > PREVIEW_VALUES:
        value = value.flatten()[:PREVIEW_VALUES]
    if value.is_floating_point() and not bool(value.isfinite().all()):
        return [number if np.isfinite(number) else None for number in value.flatten().tolist()]
    return value.tolist()
