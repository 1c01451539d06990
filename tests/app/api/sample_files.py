"""The content of small files."""

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image


def ndjson_bytes(rows: Sequence[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet_bytes(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


def npz_bytes(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def png_bytes(value: int, width: int = 4, height: int = 4) -> bytes:
    """Return a grey picture's file."""
    file = io.BytesIO()
    array = (np.arange(width * height).reshape(height, width) % 7 * 8 + value).astype(np.uint8)
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def zip_bytes(files: dict[str, bytes]) -> bytes:
    """Return an archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()
