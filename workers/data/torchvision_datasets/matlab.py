"""Files of MATLAB, version 5: their arrays of numbers; anything else in them is skipped."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

HEADER_BYTES, TAG_BYTES = 128, 8
MAX_ARRAY_BYTES = 1 << 33
MATRIX, COMPRESSED = 14, 15

# Code of a type of data → the same in NumPy.
MATLAB_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC_CLASSES = range(6, 16)  # classes of arrays that hold numbers


def read_matlab(path: Path) -> dict[str, Array]:
    """Return every array of numbers by name. Raises `ValueError`, `struct.error` or `zlib.error` for other files."""
    content = path.read_bytes()
    if content[124:128] != b"\x00\x01IM":
        raise ValueError(f"{path.name} is not a MATLAB file of version 5 (little-endian)")
    arrays = {}
    for kind, body in _elements(content[HEADER_BYTES:]):
        for inner, data in _elements(_inflate(body)) if kind == COMPRESSED else [(kind, body)]:
            if inner == MATRIX and (array := _parse_array(data)) is not None:
                arrays[array[0]] = array[1]
    return arrays


def _inflate(body: bytes) -> bytes:
    packed = zlib.decompressobj()
    content = packed.decompress(body, MAX_ARRAY_BYTES)
    if packed.unconsumed_tail:
        raise ValueError("an array is larger than can be read")
    return content


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and data of each element; small ones have both in the eight bytes of a tag."""
    place = 0
    while place + TAG_BYTES <= len(content):
        kind, size = struct.unpack_from("<II", content, place)
        if kind >> 16:
            yield kind & 0xFFFF, content[place + 4 : place + 4 + (kind >> 16)]
            place += TAG_BYTES
            continue
        yield kind, content[place + TAG_BYTES : place + TAG_BYTES + size]
        place += TAG_BYTES + size + (-size % 8 if kind != COMPRESSED else 0)


def _parse_array(content: bytes) -> tuple[str, Array] | None:
    """Return name and values of an array; None for one without numbers."""
    parts = _elements(content)
    flags, shape, name = (next(parts, (0, b""))[1] for _ in range(3))
    if not flags or flags[0] not in NUMERIC_CLASSES:
        return None
    kind, data = next(parts, (0, b""))
    if kind not in MATLAB_DTYPES:
        raise ValueError("an array has values of an unknown type")
    values = np.frombuffer(data, "<" + MATLAB_DTYPES[kind])
    return name.decode("ascii"), values.reshape(np.frombuffer(shape, "<i4"), order="F")
