"""Arrays by name: NPZ and safetensors. Nothing is unpickled, and sizes in headers are verified."""

import json
import math
import struct
import zipfile
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.data.columns import Column
from app.spec.hints.names import did_you_mean
from app.spec.problems import json_pointer
from workers.data.files.archives import REUPLOAD_HINT, archive_members, translate_archive_errors
from workers.data.files.column_names import MAX_NAME_LENGTH, name_problem
from workers.data.files.content import Content, Upload
from workers.data.files.problems import ProblemCollector, refuse
from workers.data.files.split_files import SPLIT_BY_NAME, SPLITS
from workers.data.types.table import TARGET_NAMES

MAX_INTEGER = 2**63 - 1
MAX_CLASSES = 1_000_000
MAX_DEFLATE_RATIO = 1100  # the largest of deflate: arrays of zeros are legitimate
ArraysBySplit = dict[str, dict[str, Tensor]]  # split → name → array

# Stored dtype → dtype in a network; uint8 depends on the shape, see `_dtype`.
NETWORK_DTYPES: Mapping[torch.dtype, str] = {
    torch.float16: "float32",
    torch.bfloat16: "float32",
    torch.float32: "float32",
    torch.float64: "float32",
    torch.int8: "int64",
    torch.int16: "int64",
    torch.int32: "int64",
    torch.int64: "int64",
    torch.bool: "bool",
}
WIDENED_DTYPES = {"u2": "i4", "u4": "i8", "u8": "i8"}  # unsigned dtypes with few operations in torch


def read_npz(upload: Upload) -> Content:
    """Read an archive of NumPy. Raises `InvalidInput` with every problem."""
    problems = ProblemCollector()
    arrays, dates = read_npz_arrays(upload, problems)
    return content_from_arrays(arrays, problems, upload, dates)


def read_npz_arrays(upload: Upload, problems: ProblemCollector) -> tuple[dict[str, Tensor], set[str]]:
    """Return the arrays of an archive of NumPy, and the columns that are dates; add a problem for what is no array.

    Raises `InvalidInput`.
    """
    arrays: dict[str, Tensor] = {}
    dates: set[str] = set()
    members = archive_members(upload.path, upload.limit, MAX_DEFLATE_RATIO)
    with translate_archive_errors("npz"), zipfile.ZipFile(upload.path) as archive:
        for info in members:
            name = info.filename.removesuffix(".npy")
            with archive.open(info) as file:
                array = _read_array(file, info, name, problems)
            if array is not None:
                arrays[name] = _to_tensor(array)
                dates |= {name.rpartition("/")[2] or name} if array.dtype.kind == "M" else set()
    return arrays, dates


def _read_array(file: Any, info: zipfile.ZipInfo, name: str, problems: ProblemCollector) -> np.ndarray[Any, Any] | None:
    """Return an array of numbers; None for anything else. Raises `InvalidInput` if its header and its size differ."""
    if not info.filename.endswith(".npy"):
        problems.add(
            Problem(
                json_pointer([name]), "unsupported_dtype", f'"{name[:MAX_NAME_LENGTH]}" is not an array', "leave it out"
            )
        )
        return None
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(file)
    except (ValueError, TypeError, MemoryError, RecursionError):
        refuse("unreadable", f'the header of "{name}" cannot be read', REUPLOAD_HINT, name)
    is_date = dtype.kind == "M" and np.datetime_data(dtype)[0] != "generic" and math.prod(shape) == math.prod(shape[:1])
    if dtype.hasobject or not (dtype.kind in "fiub" or is_date) or dtype.itemsize > 8:
        holds = "pickled Python objects, which are never read" if dtype.hasobject else str(dtype)
        problems.add(Problem(json_pointer([name]), "unsupported_dtype", f'"{name}" holds {holds}', "store numbers"))
        return None
    size, remaining = math.prod(shape) * dtype.itemsize, info.file_size - file.tell()
    if size != remaining or any(length < 0 for length in shape):
        refuse(
            "unreadable",
            f'"{name}" claims the shape {list(shape)}, {size:,} bytes, and has {remaining:,}',
            REUPLOAD_HINT,
            name,
        )
    array = np.frombuffer(file.read(), dtype)
    if array.dtype.kind == "u" and array.dtype.itemsize == 8 and (array > MAX_INTEGER).any():
        detail = f'"{name}" holds {array.max()}, and no network has integers beyond {MAX_INTEGER}'
        problems.add(Problem(json_pointer([name]), "out_of_range", detail, "store identifiers as text, in a table"))
        return None
    return array.reshape(shape[::-1]).transpose() if fortran else array.reshape(shape)


def _to_tensor(array: np.ndarray[Any, Any]) -> Tensor:
    """Return a tensor of the same numbers, in native byte order; unsigned dtypes are widened, dates float64 seconds."""
    if array.dtype.kind == "M":
        microseconds = array.reshape(len(array)).astype("datetime64[us]")
        return torch.from_numpy(np.where(np.isnat(microseconds), np.nan, microseconds.astype(np.int64) / 1e6))
    wider = WIDENED_DTYPES.get(f"{array.dtype.kind}{array.dtype.itemsize}")
    native = array.astype(wider or array.dtype.newbyteorder("="), order="C")
    return torch.from_numpy(native)


def read_safetensors(upload: Upload) -> Content:
    """Read named tensors. Raises `InvalidInput` with every problem."""
    return content_from_arrays(read_tensors(upload), ProblemCollector(), upload)


def read_tensors(upload: Upload) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file. Raises `InvalidInput`."""
    size = upload.path.stat().st_size
    if size > upload.limit:
        refuse("too_large", f"{size:,} bytes, at most {upload.limit:,} are allowed")
    _check_header(upload)
    try:
        with safe_open(upload.path, framework="pt") as content:
            return {name: content.get_tensor(name).clone() for name in content.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        refuse("unreadable", f"the file cannot be read as safetensors: {error}", REUPLOAD_HINT)


def _check_header(upload: Upload) -> None:
    """Check that the header lies in the file and is JSON, since the library is less clear. Raises `InvalidInput`."""
    with upload.path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        size = upload.path.stat().st_size
        if not 2 <= length <= size - 8:
            refuse(
                "unreadable",
                f"the file cannot be read as safetensors: its header claims {length:,} of {size:,} bytes",
                REUPLOAD_HINT,
            )
        try:
            json.loads(file.read(length))
        except (ValueError, RecursionError):
            refuse("unreadable", "the file cannot be read as safetensors: its header is not JSON", REUPLOAD_HINT)


def content_from_arrays(
    arrays: Mapping[str, Tensor], problems: ProblemCollector, upload: Upload, dates: Collection[str] = ()
) -> Content:
    """Return the content of arrays: `train/x`, `validation/x` and `test/x` belong to splits, other names to "train".

    Columns are those of the upload's stored schema, if it has one. `dates` are columns of seconds since 1970.

    Raises `InvalidInput` with every problem.
    """
    splits = arrays_by_split(arrays)
    try:
        problems.raise_if_any()
        every: tuple[Problem, ...] = ()
    except InvalidInput as error:
        every = error.problems
    if arrays or not every:
        every = (*every, *_problems(splits, dates))
    if every:
        raise InvalidInput(every)
    train = splits["train"]
    ordered = {split: splits[split] for split in SPLITS if split in splits}
    if (schema := upload.known_schema) is not None:
        return Content(schema.columns, ordered, schema.inputs, schema.target)
    target = upload.source.target
    if target is not None and target not in train:
        refuse(
            "unknown_column",
            f'there is no array "{target}"',
            did_you_mean(target, train) or "one of: " + ", ".join(train),
        )
    label = target or next((name for name in TARGET_NAMES if name in train), None)
    columns = tuple(_date_column(name, train) if name in dates else _column(name, splits) for name in train)
    inputs = tuple(name for name in train if name != label)
    return Content(columns, ordered, inputs or tuple(train), label if inputs else None)


def arrays_by_split(arrays: Mapping[str, Tensor]) -> ArraysBySplit:
    """Return arrays by the split that their names begin with, "train" if they do not."""
    splits: ArraysBySplit = {}
    for name, array in arrays.items():
        split, slash, column = name.partition("/")
        known = slash and split in SPLIT_BY_NAME
        splits.setdefault(SPLIT_BY_NAME[split] if known else "train", {})[column if known else name] = array
    return splits


def _problems(splits: ArraysBySplit, dates: Collection[str]) -> list[Problem]:
    if not splits.get("train"):
        return [Problem("", "no_columns", "there are no training columns", "store arrays such as x and y")]
    problems = []
    train = splits["train"]
    for split, columns in splits.items():
        rows = {name: len(column) for name, column in columns.items() if column.ndim}
        for name, column in columns.items():
            place = json_pointer([split, name] if len(splits) > 1 else [name])
            if problem := name_problem(name, place):
                problems.append(problem)
            if column.ndim == 0 or 0 in column.shape:
                problems.append(
                    Problem(place, "no_rows", f'"{name}" has shape {list(column.shape)}', "rows come first")
                )
            elif column.dtype not in NETWORK_DTYPES and column.dtype != torch.uint8:
                problems.append(Problem(place, "unsupported_dtype", f'"{name}" holds {column.dtype}', "store numbers"))
            elif column.is_floating_point() and name not in dates and (problem := _not_finite(name, column, place)):
                problems.append(problem)
        if len(set(rows.values())) > 1:
            counts = ", ".join(f"{name} has {count:,}" for name, count in rows.items())
            problems.append(
                Problem(
                    f"/{split}",
                    "row_count",
                    f"the columns differ in length: {counts}",
                    "the first dimension of every array counts the examples",
                )
            )
        if {name: column.shape[1:] for name, column in columns.items()} != {
            name: column.shape[1:] for name, column in train.items()
        }:
            problems.append(
                Problem(
                    f"/{split}",
                    "columns_differ",
                    f'"{split}" has other columns than "train"',
                    "give both splits the same names and shapes",
                )
            )
    return problems


def _not_finite(name: str, column: Tensor, place: str) -> Problem | None:
    """Return how many numbers of an array are not finite, and where the first is; none would ever be trained on."""
    wrong = ~column.isfinite()
    count = int(wrong.sum())
    if not count:
        return None
    first, rows = wrong.nonzero()[0].tolist(), int(wrong.flatten(1).any(1).sum() if column.ndim > 1 else count)
    detail = f'"{name}" has NaN or infinity {count:,} times, in {rows:,} of {len(column):,} rows; first at {first}'
    hint = "replace them, leave the rows out, or store a table (CSV, Parquet), in which numbers may be missing"
    return Problem(place, "not_finite", detail, hint)


def _dtype(column: Tensor) -> str:
    """Return the dtype in a network. uint8 with three or more dimensions are images, others are labels."""
    if column.dtype == torch.uint8:
        return "float32" if column.ndim > 2 else "int64"
    return NETWORK_DTYPES[column.dtype]


def _date_column(name: str, columns: Mapping[str, Tensor]) -> Column:
    missing = int(columns[name].isnan().sum())
    return Column(name=name, type="datetime", missing=missing, decided_by="metadata")


def _column(name: str, splits: ArraysBySplit) -> Column:
    column = splits["train"][name]
    dtype = _dtype(column)
    peak = 255.0 if column.dtype == torch.uint8 and column.ndim > 2 else None
    classes = None
    if name in TARGET_NAMES and dtype == "int64" and column.ndim == 1:
        parts = [columns[name] for columns in splits.values()]
        least, most = min(int(part.min()) for part in parts), max(int(part.max()) for part in parts)
        classes = most + 1 if least >= 0 and most < MAX_CLASSES else None
    return Column.model_validate(
        {"name": name, "shape": tuple(column.shape[1:]), "dtype": dtype, "classes": classes, "peak": peak}
    )
