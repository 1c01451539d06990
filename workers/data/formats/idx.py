"""IDX, the format of MNIST: one file, or an archive with those of every split."""

import gzip
import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from app.errors import DataError, InvalidInput
from workers.data.files.archives import REUPLOAD_HINT, archive_members, is_archive, translate_archive_errors
from workers.data.files.content import Content, Upload
from workers.data.files.problems import ProblemCollector, refuse
from workers.data.files.split_files import GZIP_MAGIC
from workers.data.formats.arrays import content_from_arrays

# Code of a type → dtype; all but bytes are big-endian.
IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CHUNK_BYTES = 1 << 20
IDX_FILE_NAME = re.compile(r"(train|t10k|test)[^/]*?(images|labels)[^/]*$", re.IGNORECASE)
COLUMN_BY_KIND = {"images": "image", "labels": "label"}


def read_idx_upload(upload: Upload) -> Content:
    """Read one IDX file, or an archive with those of images and labels. Raises `InvalidInput`."""
    return content_from_arrays(read_idx_arrays(upload), ProblemCollector(), upload)


def read_idx_arrays(upload: Upload) -> dict[str, Tensor]:
    """Return the arrays of one IDX file, or of an archive of them, by split and column. Raises `InvalidInput`."""
    if not is_archive(upload.path):
        with upload.path.open("rb") as file:
            array = parse_idx(file, upload.limit)
        name = {1: "y", 2: "x"}.get(array.ndim, "image")
        return {name: as_images(array)}
    arrays: dict[str, Tensor] = {}
    remaining = upload.limit
    for info in archive_members(upload.path, upload.limit):
        match = IDX_FILE_NAME.search(info.filename)
        if match is None:
            hint = "name them as those of MNIST: train-images-idx3-ubyte and so on"
            refuse(
                "unknown_file", f'"{info.filename[:200]}" holds neither images nor labels', hint, info.filename[:200]
            )
        split, kind = "train" if match[1].lower() == "train" else "test", COLUMN_BY_KIND[match[2].lower()]
        with translate_archive_errors("idx"), zipfile.ZipFile(upload.path) as archive, archive.open(info) as member:
            array = parse_idx(member, remaining, info.filename)  # type: ignore[arg-type]
        remaining -= array.nbytes
        arrays[f"{split}/{kind}"] = as_images(array)
    return arrays


def as_images(array: Tensor) -> Tensor:
    """Return images (N, height, width) as (N, 1, height, width); any other array as it is."""
    return array.unsqueeze(1) if array.ndim == 3 else array


def _read_bounded(file: BinaryIO | gzip.GzipFile, limit: int, name: str) -> bytes:
    """Return all of a file, without room for more than it has. Raises `InvalidInput`."""
    chunks, size = list[bytes](), 0
    while chunk := file.read(CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            refuse("too_large", f"more than {limit:,} bytes unpacked", "upload less at once", name)
    return b"".join(chunks)


def parse_idx(file: BinaryIO, limit: int, name: str = "") -> Tensor:
    """Return the array in an IDX file, packed by gzip or not. Raises `InvalidInput`."""
    start = file.read(2)
    file.seek(0)
    try:
        content = _read_bounded(gzip.GzipFile(fileobj=file) if start == GZIP_MAGIC else file, limit, name)
        zeros, kind, rank = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{rank}I", content, 4)
    except (struct.error, OSError, EOFError, zlib.error) as error:
        refuse("unreadable", f"the file cannot be read as idx: {error}", REUPLOAD_HINT, name)
    if zeros != 0 or kind not in IDX_DTYPES or rank == 0:
        refuse("unreadable", "the file cannot be read as idx: it does not begin like one", REUPLOAD_HINT, name)
    dtype, size = np.dtype(IDX_DTYPES[kind]), len(content) - 4 - 4 * rank
    if size != math.prod(shape) * dtype.itemsize:
        claimed = f"it claims the shape {list(shape)} of {dtype.itemsize} bytes each, and has {size:,} bytes"
        refuse("unreadable", f"the file cannot be read as idx: {claimed}", REUPLOAD_HINT, name)
    body = np.frombuffer(content, dtype, offset=4 + 4 * rank).reshape(shape)
    return torch.from_numpy(body.astype(dtype.newbyteorder("=")))


def read_idx(path: Path) -> Tensor:
    """Read an IDX file of torchvision, packed by gzip or not. Raises `DataError`."""
    try:
        with path.open("rb") as file:
            return parse_idx(file, 1 << 34)
    except (InvalidInput, OSError) as error:
        detail = f"{path.name}: {error}"
        raise DataError(detail, pointer="/data/name", hint="remove it, and download it again") from error
