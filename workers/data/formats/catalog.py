"""Every format of an upload, and how to see which one it has: by its content, with its name as a hint."""

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

HEAD_BYTES = 1 << 16  # bytes by which a format is judged
SNIFF_LINES = 50

# Format → what reads it.
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
UNAMBIGUOUS_FORMATS = BINARY_FORMATS | {"jsonl"}  # which look like nothing else

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
FORMAT_HINT = "tell the format, one of: " + ", ".join(FORMATS)


def read_upload(upload: Upload) -> Content:
    """Read the columns of an upload. Raises `InvalidInput` with every problem found."""
    return FORMATS[resolve_format(upload)](upload)


def resolve_format(upload: Upload) -> str:
    """Return the format that an upload is read as. Raises `InvalidInput` if it is not what was told, or unknown."""
    told = upload.source.format
    found = sniff_format(upload)
    if told == "auto":
        if found is None:
            refuse("unknown_format", "the content looks like no format that is read here", FORMAT_HINT)
        return found
    if told == "weights" and found == "safetensors":  # which does not say what it is for
        return told
    if found in UNAMBIGUOUS_FORMATS and found != told:
        detail = f"the format {told} was told, and the content looks like {found}"
        refuse("wrong_format", detail, f'tell "{found}", or leave format out')
    if told in BINARY_FORMATS and found != told and not is_archive(upload.path):
        refuse("unreadable", f"the file cannot be read as {told}: it does not begin like one", REUPLOAD_HINT)
    return told


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
        refuse("unknown_format", "the content is packed by gzip, and no IDX file", "unpack it: gunzip FILE")
    return "idx"


def _sniff_archive(upload: Upload) -> str | None:
    found = archive_members(upload.path, upload.limit, most_times=1 << 62)  # the reader sees to that
    paths = [PurePosixPath(info.filename) for info in found]
    for path in paths:
        if path.suffix.lower() in (".zip", ".tar", ".gz", ".7z", ".rar") and not IDX_FILE_NAME.search(path.name):
            refuse("unknown_format", f'there is an archive in the archive: "{str(path)[:200]}"', "unpack that one")
    if paths and all(path.suffix == ".npy" for path in paths):
        return "npz"
    if any(path.suffix.lower() in IMAGE_SUFFIXES for path in paths):
        return "images"
    if any(IDX_FILE_NAME.search(path.name) for path in paths):
        return "idx"
    for info, path in zip(found, paths, strict=True):
        if SPLIT_BY_NAME.get(path.name.partition(".")[0].lower()) == "train":
            with translate_archive_errors("zip"), zipfile.ZipFile(upload.path) as archive, archive.open(info) as member:
                head = member.read(HEAD_BYTES)
            return _sniff_binary(head, info.file_size) or sniff_text(head, path.name)
    return None


def sniff_text(head: bytes, name: str) -> str | None:
    """Return the format that the beginning of a text looks like."""
    rows = head.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
    if len(head) == HEAD_BYTES:
        rows = rows[:-1] or rows  # the last one is cut
    written = [row for row in rows if row.strip()]
    if not written:
        return FORMAT_BY_SUFFIX.get(PurePosixPath(name).suffix.lower())
    first = written[0].lstrip()
    if first.startswith("[") and Path(name).suffix.lower() in ("", ".json"):
        refuse("unknown_format", "the content is a JSON list", "write one object a line: jq -c '.[]' FILE > NEW.jsonl")
    if first.startswith("{") and (len(rows) == 1 or _is_object(first)):
        return "jsonl"
    if first.startswith("(") and (len(rows) == 1 or first.count("(") == first.count(")")):
        return "trees"
    told = FORMAT_BY_SUFFIX.get(PurePosixPath(name).suffix.lower())
    return told or next(
        (kind for kind, looks in TEXT_FORMAT_CHECKS.items() if looks(rows[:SNIFF_LINES], written[:SNIFF_LINES])), None
    )


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _looks_like_vectors(rows: list[str], written: list[str]) -> bool:
    lines = [row.split() for row in written]
    if len(lines) > 1 and len(lines[0]) == 2:  # the count and the width
        lines = lines[1:]
    widths = {len(line) for line in lines}
    return len(widths) == 1 and min(widths) > 2 and all(_are_numbers(line[1:]) for line in lines)


def _are_numbers(cells: list[str]) -> bool:
    try:
        return all(abs(float(cell)) < float("inf") for cell in cells)
    except ValueError:
        return False


def _looks_like_conll(rows: list[str], written: list[str]) -> bool:
    parts = [row for row in written if not row.startswith(("#", "-DOCSTART-"))]
    widths = {len(row.split("\t") if "\t" in row else row.split()) for row in parts}
    between = any(not row.strip() for row in rows[rows.index(written[0]) : len(rows) - rows[::-1].index(written[-1])])
    return between and len(widths) == 1 and min(widths) > 1


# Format → what says whether lines, all and those with something in them, look like it; the first one is taken.
TEXT_FORMAT_CHECKS: Mapping[str, Callable[[list[str], list[str]], bool]] = {
    "vectors": _looks_like_vectors,
    "conll": _looks_like_conll,
    "tsv": lambda rows, written: "\t" in written[0],
    "csv": lambda rows, written: "," in written[0] or ";" in written[0],
}
