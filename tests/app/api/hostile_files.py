"""Files that are made to break a service that reads them, or to take all its memory or time; of some MiB at most."""

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from pyarrow import parquet

MEGABYTE = 1 << 20


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def nested_zips(levels: int) -> bytes:
    """Return archives within archives, of which each unpacks to ten times its size."""
    content = bytes(MEGABYTE)
    for _ in range(levels):
        content = packed({f"train/{number}.zip": content for number in range(10)})
    return content


def overlapping_zip(copies: int) -> bytes:
    """Return an archive whose directory names one packed member many times."""
    member = packed({"0.csv": b"a,b\n" + b"1,2\n" * 200_000})
    end = member.rindex(b"PK\x05\x06")
    begin = member.index(b"PK\x01\x02")
    entry = member[begin:end]
    entries = b"".join(entry.replace(b"0.csv", b"%05d" % number) for number in range(copies))
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, copies, copies, len(entries), begin, 0)
    return member[:begin] + entries + tail


def gzip_of_zeros(size: int, times: int = 1) -> bytes:
    """Return gzip streams one after the other, each of zeros."""
    return gzip.compress(bytes(size), mtime=0) * times


def npy(shape: str, dtype: str = "<f8", version: int = 1) -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header


def npy_with_header(length: int) -> bytes:
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", length) + b"{" * min(length, MEGABYTE)


def safetensors(header: object, content: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


def table(columns: dict[str, object], **options: object) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file, compression="zstd", **options)  # type: ignore[arg-type]
    return file.getvalue()


def png(width: int, height: int, rows: int = 1, kind: int = 0) -> bytes:
    """Return a picture that claims a size and holds some rows."""
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(rows * (1 + width)))), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def text_chunk_bomb() -> bytes:
    """Return a small picture with a compressed comment that unpacks to 200 MB."""
    data = b"k\0\0" + zlib.compress(bytes(200 * MEGABYTE), 9)
    picture = png(4, 4, 4)
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    return picture[:33] + chunk + picture[33:]


def long_json(depth: int = 1) -> bytes:
    return b'{"a": ' * depth + b"1" + b"}" * depth + b"\n"


def repeated(line: bytes, times: int) -> bytes:
    return line * times


# Files that cannot be a data set: each must be refused, and the reason be told.
REFUSED: dict[str, Callable[[], bytes]] = {
    "zips in zips": lambda: nested_zips(3),
    "a zip that names one member 50,000 times": lambda: overlapping_zip(50_000),
    "a zip of thousands of empty members": lambda: packed({f"{number:x}": b"" for number in range(20_000)}),
    "a zip whose directory ends early": lambda: packed({"train.csv": b"a,b\n1,2\n"})[:-10],
    "a zip of gzips": lambda: packed({"train.csv.gz": gzip_of_zeros(100 * MEGABYTE)}),
    "gzip of gzip of zeros": lambda: gzip.compress(gzip_of_zeros(100 * MEGABYTE), mtime=0),
    "ten thousand gzip streams": lambda: gzip_of_zeros(MEGABYTE // 4, 10_000),
    "gzip that is cut": lambda: gzip_of_zeros(MEGABYTE)[:-5],
    "a million columns and rows": lambda: b"," * 1_000_000 + b"\n" + (b"," * 1_000_000 + b"\n") * 4,
    "rows that grow": lambda: b"\n".join(b"," * number for number in range(2000)),
    "NUL in a cell": lambda: b"a,b\n1,\0\n" * 1000,
    "NUL as text": lambda: bytes(3 * MEGABYTE),
    "only quotes": lambda: b'"' * (2 * MEGABYTE),
    "only line ends": lambda: b"\r\n" * MEGABYTE,
    "JSONL with a line of 20 MB": lambda: b'{"a": "' + b"x" * (20 * MEGABYTE) + b'"}\n',
    "JSONL a hundred thousand deep": lambda: long_json(100_000),
    "JSONL with a number of a million digits": lambda: b'{"a": ' + b"9" * 1_000_000 + b"}\n",
    "JSONL with a million keys": lambda: b"{" + b",".join(b'"k%d":1' % number for number in range(1_000_000)) + b"}\n",
    "JSONL of surrogates": lambda: b'{"a": "\\ud800"}\n' * 100,
    "Parquet without an end": lambda: table({"a": [1, 2, 3]})[:-6],
    "Parquet whose footer is zeros": lambda: b"PAR1" + bytes(1000) + struct.pack("<I", 900) + b"PAR1",
    "Parquet whose footer is longer than the file": lambda: b"PAR1" + struct.pack("<I", 2**31 - 1) + b"PAR1",
    "Parquet of one long list": lambda: table(
        {"a": pa.ListArray.from_arrays(pa.array([0, 40_000_000], pa.int32()), pa.array(np.zeros(40_000_000, np.int8)))}
    ),
    "Parquet of one text, often": lambda: table(
        {"a": pa.DictionaryArray.from_arrays(pa.array(np.zeros(2_000_000, np.int32)), ["x" * 10_000])}
    ),
    "Parquet of five thousand columns of nothing": lambda: table({f"c{number}": pa.nulls(1) for number in range(5000)}),
    "NPZ of a shape that overflows": lambda: packed({"x.npy": npy("(4294967296, 4294967296)")}),
    "NPZ whose header claims 4 GB": lambda: packed({"x.npy": npy_with_header(2**32 - 1)}),
    "NPZ whose header is deep": lambda: packed({"x.npy": npy("(" * 50 + ")" * 50)}),
    "NPZ of records": lambda: packed({"x.npy": npy("(2,)", "[('a', '<f8', (1000000,))]") + bytes(16)}),
    "safetensors without an end": lambda: safetensors({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}),
    "safetensors that run backwards": lambda: safetensors(
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [16, 8]}}, bytes(16)
    ),
    "safetensors with a hole": lambda: safetensors(
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [1000, 1008]}}, bytes(1008)
    ),
    "safetensors of negative shape": lambda: safetensors(
        {"x": {"dtype": "F32", "shape": [-2, -1], "data_offsets": [0, 8]}}, bytes(8)
    ),
    "safetensors whose header is deep": lambda: safetensors(b"[" * 100_000 + b"]" * 100_000),
    "safetensors of a shape that overflows": lambda: safetensors(
        {"x": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}}, bytes(8)
    ),
    "a picture of 50,000 x 50,000": lambda: packed({"a/1.png": png(50_000, 50_000), "b/2.png": png(50_000, 50_000)}),
    "a picture that is cut": lambda: packed({"a/1.png": png(8, 8, 2)[:-20], "b/2.png": png(8, 8, 2)[:-20]}),
    "a workbook": lambda: packed(
        {
            "[Content_Types].xml": b"<Types/>",
            "xl/workbook.xml": b"<workbook/>",
            "xl/worksheets/sheet1.xml": b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><x>' + b"&a;" * 100_000 + b"</x>",
        }
    ),
    "a program": lambda: b"\x7fELF\x02\x01\x01" + bytes(1000),
    "a pickle": lambda: b"\x80\x04\x95\x1a" + bytes(7) + b"\x8c\x05posix\x94\x8c\x06system\x94\x93.",
    "a document": lambda: b"%PDF-1.7\n" + b"1 0 obj << >> endobj\n" * 1000,
    "trees that never close": lambda: b"(a " * 1_000_000 + b"\n",
    "CoNLL of one sentence without an end": lambda: b"word TAG\n" * 500_000,
    "IDX of no dimension": lambda: struct.pack(">HBB", 0, 8, 0),
    "IDX of 255 dimensions": lambda: struct.pack(">HBB", 0, 8, 255) + struct.pack(">255I", *(1,) * 255) + b"\0",
}
# Files that may be read or not, as long as little is taken for it.
BOUNDED: dict[str, Callable[[], bytes]] = {
    "NPZ of sixty dimensions": lambda: packed({"x.npy": npy(str((1,) * 60) + "") + bytes(8)}),
    "NPZ of zeros, 1000 times its size": lambda: packed({"x.npy": npy("(60000000,)", "|i1") + bytes(60_000_000)}),
    "one number of a million digits": lambda: b"a,b\n" + b"9" * 1_000_000 + b",1\n",
    "a picture with a comment that unpacks": lambda: packed({"a/1.png": text_chunk_bomb(), "b/2.png": png(4, 4, 4)}),
    "a table of one wide column of words": lambda: (
        b"a,b\n" + b"".join(b"%d,%s\n" % (number, b"w" * 1000) for number in range(10_000))
    ),
    "a million rows of nothing": lambda: b"a,b\n" + b",\n" * 1_000_000,
    "dates without an end": lambda: b"a,b\n" + b"9999-99-99T99:99:99.999999999999,1\n" * 100_000,
}
