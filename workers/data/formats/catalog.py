"""Every format of an upload, and which one a file has: by its content, with its name as a hint."""

import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from workers.data.files.archives import REUPLOAD_HINT, archive_members, is_archive, translate_archive_errors
from workers.data.files.content import Content, FormatReader, Upload
from workers.data.files.problems import refuse
from workers.data.files.split_files import SPLIT_BY_NAME
from workers.data.formats.arrays import read_npz, read_safetensors
from workers.data.formats.conll import read_conll
from workers.data.formats.delimited import read_csv, read_tsv
from workers.data.formats.idx import GZIP_MAGIC, IDX_DTYPES, IDX_FILE_NAME, read_idx_upload
from workers.data.formats.images import read_images
from workers.data.formats.jsonl import read_jsonl
from workers.data.formats.parquet import read_parquet
from workers.data.formats.trees import read_trees
from workers.data.formats.weights import read_weights
from workers.data.formats.word_vectors import read_vectors
from workers.data.images.decoding import IMAGE_SUFFIXES

HEAD_BYTES = 1 << 16  # bytes at the beginning that decide the format
SNIFF_LINES = 50

# Format → reader.
FORMATS: Mapping[str, FormatReader] = {
    "csv": read_csv,
    "tsv": read_tsv,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "npz": read_npz,
    "safetensors": read_safetensors,
    "idx": read_idx_upload,
    "images": read_images,
    "conll": read_conll,
    "trees": read_trees,
    "vectors": read_vectors,
    "weights": read_weights,
}
BINARY_FORMATS = frozenset({"parquet", "npz", "safetensors", "weights", "idx", "images"})
UNAMBIGUOUS_FORMATS = BINARY_FORMATS | {"jsonl"}  # that look like no other

# Ending of a text's name → format.
FORMAT_BY_SUFFIX: Mapping[str, str] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".conll": "conll",
    ".conllu": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".tags": "conll",
    ".trees": "trees",
    ".ptb": "trees",
    ".mrg": "trees",
    ".vec": "vectors",
    ".vectors": "vectors",
}
FORMAT_HINT = "name the format, one of: " + ", ".join(FORMATS)


def read_upload(upload: Upload) -> Content:
    """Read the columns of an upload. Raises `InvalidInput` with every problem."""
    return FORMATS[resolve_format(upload)](upload)


def resolve_format(upload: Upload) -> str:
    """Return the format of an upload. Raises `InvalidInput` if it is unknown, or not what the source says."""
    expected = upload.source.format
    detected = sniff_format(upload)
    if expected == "auto":
        if detected is None:
            refuse("unknown_format", "the content looks like no format that is read here", FORMAT_HINT)
        return detected
    if expected == "weights" and detected == "safetensors":  # a file does not say what it is for
        return expected
    if detected in UNAMBIGUOUS_FORMATS and detected != expected:
        detail = f"the format is given as {expected}, and the content looks like {detected}"
        refuse("wrong_format", detail, f'give "{detected}", or leave format out')
    if expected in BINARY_FORMATS and detected != expected and not is_archive(upload.path):
        refuse("unreadable", f"the file cannot be read as {expected}: it does not begin like one", REUPLOAD_HINT)
    return expected


def sniff_format(upload: Upload) -> str | None:
    """Return the format that the content looks like. Raises `InvalidInput` for an archive that is not read."""
    with upload.path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    name = upload.source.file or ""
    if is_archive(upload.path):
        return _sniff_archive(upload)
    if head.startswith(GZIP_MAGIC):
        return _sniff_gzip(head)
    return _sniff_binary(head, upload.path.stat().st_size) or sniff_text(head, name)


def _sniff_binary(head: bytes, size: int) -> str | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head[:2] == b"\0\0" and len(head) > 3 and head[2] in IDX_DTYPES and 1 <= head[3] <= 8:
        return "idx"
    if len(head) > 8 and head[8:9] == b"{" and struct.unpack_from("<Q", head)[0] <= size:
        return "safetensors"
    return None


def _sniff_gzip(head: bytes) -> str:
    try:
        start = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, 16)
    except zlib.error:
        start = b""
    if _sniff_binary(start, 0) != "idx":
        refuse("unknown_format", "the content is packed by gzip, and is not an IDX file", "unpack it: gunzip FILE")
    return "idx"


def _sniff_archive(upload: Upload) -> str | None:
    members = archive_members(upload.path, upload.limit, max_ratio=1 << 62)  # the reader checks the ratio
    paths = [PurePosixPath(info.filename) for info in members]
    for path in paths:
        if path.suffix.lower() in (".zip", ".tar", ".gz", ".7z", ".rar") and not IDX_FILE_NAME.search(path.name):
            refuse("unknown_format", f'there is an archive in the archive: "{str(path)[:200]}"', "unpack that one")
    if paths and all(path.suffix == ".npy" for path in paths):
        return "npz"
    if any(path.suffix.lower() in IMAGE_SUFFIXES for path in paths):
        return "images"
    if any(IDX_FILE_NAME.search(path.name) for path in paths):
        return "idx"
    for info, path in zip(members, paths, strict=True):
        if SPLIT_BY_NAME.get(path.name.partition(".")[0].lower()) == "train":
            with translate_archive_errors("zip"), zipfile.ZipFile(upload.path) as archive, archive.open(info) as member:
                head = member.read(HEAD_BYTES)
            return _sniff_binary(head, info.file_size) or sniff_text(head, path.name)
    return None


def sniff_text(head: bytes, name: str) -> str | None:
    """Return the format that the beginning of a text looks like."""
    rows = head.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
    if len(head) == HEAD_BYTES:
        rows = rows[:-1] or rows  # the last one is incomplete
    filled = [row for row in rows if row.strip()]
    by_name = FORMAT_BY_SUFFIX.get(PurePosixPath(name).suffix.lower())
    if not filled:
        return by_name
    first = filled[0].lstrip()
    if first.startswith("[") and Path(name).suffix.lower() in ("", ".json"):
        refuse("unknown_format", "the content is a JSON list", "write one object a line: jq -c '.[]' FILE > NEW.jsonl")
    if first.startswith("{") and (len(rows) == 1 or _is_object(first)):
        return "jsonl"
    if first.startswith("(") and (len(rows) == 1 or first.count("(") == first.count(")")):
        return "trees"
    return by_name or next(
        (kind for kind, looks in TEXT_FORMAT_CHECKS.items() if looks(rows[:SNIFF_LINES], filled[:SNIFF_LINES])), None
    )


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _looks_like_vectors(rows: list[str], filled: list[str]) -> bool:
    lines = [row.split() for row in filled]
    if len(lines) > 1 and len(lines[0]) == 2:  # the number of vectors and their width
        lines = lines[1:]
    widths = {len(line) for line in lines}
    return len(widths) == 1 and min(widths) > 2 and all(_are_numbers(line[1:]) for line in lines)


def _are_numbers(cells: list[str]) -> bool:
    try:
        return all(abs(float(cell)) < float("inf") for cell in cells)
    except ValueError:
        return False


def _looks_like_conll(rows: list[str], filled: list[str]) -> bool:
    parts = [row for row in filled if not row.startswith(("#", "-DOCSTART-"))]
    widths = {len(row.split("\t") if "\t" in row else row.split()) for row in parts}
    blank = any(not row.strip() for row in rows[rows.index(filled[0]) : len(rows) - rows[::-1].index(filled[-1])])
    return blank and len(widths) == 1 and min(widths) > 1


# Format → whether lines (all of them, and those that are not blank) look like it; the first match is taken.
TEXT_FORMAT_CHECKS: Mapping[str, Callable[[list[str], list[str]], bool]] = {
    "vectors": _looks_like_vectors,
    "conll": _looks_like_conll,
    "tsv": lambda rows, filled: "\t" in filled[0],
    "csv": lambda rows, filled: "," in filled[0] or ";" in filled[0],
}
