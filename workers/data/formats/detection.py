"""Which format a file has: by its first bytes, its name, or what its lines look like."""

import json
import re
import struct
import zipfile
import zlib
from codecs import getincrementaldecoder
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from app.spec.data.upload_formats import format_by_name
from workers.data.files.archives import archive_members, is_archive, translate_archive_errors
from workers.data.files.content import Upload
from workers.data.files.dialects import SEPARATORS, Dialect, detect_dialect, is_number
from workers.data.files.encodings import BYTE_ORDER_MARKS
from workers.data.files.problems import WarningCollector, refuse
from workers.data.files.split_files import GZIP_MAGIC, SplitFile, split_of
from workers.data.formats.idx import IDX_DTYPES, IDX_FILE_NAME
from workers.data.formats.texts.conll import CONLLU_COLUMNS
from workers.data.images.decoding import IMAGE_SUFFIXES

HEAD_BYTES = 1 << 16  # bytes at the beginning that decide the format
SNIFF_LINES = 50
ARCHIVE_SUFFIXES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst")
LINE_END = re.compile(r"\r\n|\n|\r")

# First bytes → what a file is that is not read, and how to convert it.
FOREIGN_FORMATS: Mapping[bytes, tuple[str, str]] = {
    b"\x93NUMPY": ("a single array of NumPy", "save it by its name: np.savez(FILE, x=array)"),
    b"\x80\x02": ("a pickle", "save the data without pickle: CSV, Parquet, NPZ"),
    b"\x80\x03": ("a pickle", "save the data without pickle: CSV, Parquet, NPZ"),
    b"\x80\x04": ("a pickle", "save the data without pickle: CSV, Parquet, NPZ"),
    b"\x80\x05": ("a pickle", "save the data without pickle: CSV, Parquet, NPZ"),
    b"\xd0\xcf\x11\xe0": ("a workbook of Excel", "save the sheet as CSV"),
    b"\x89HDF": ("HDF5", "save its arrays as NPZ, or its tables as Parquet"),
    b"ARROW1": ("a Feather file", "save it as Parquet"),
    b"$FL2": ("a data file of SPSS", "save it as CSV"),
    b"$FL3": ("a data file of SPSS", "save it as CSV"),
    b"<stata_dta>": ("a data file of Stata", "save it as CSV"),
    b"SQLite format 3": ("a database of SQLite", "save the table as CSV"),
    b"MATLAB": ("a file of MATLAB", "save its arrays as NPZ"),
    b"BZh": ("packed by bzip2", "unpack it: bunzip2 FILE"),
    b"\xfd7zXZ": ("packed by xz", "unpack it: unxz FILE"),
    b"\x28\xb5\x2f\xfd": ("packed by zstd", "unpack it: unzstd FILE"),
    b"7z\xbc\xaf": ("an archive of 7-Zip", "pack the files as zip"),
    b"Rar!": ("an archive of RAR", "pack the files as zip"),
    b"%PDF": ("a PDF", "save its data as CSV"),
    b"\x89PNG": ("a single image", "pack images into a zip, each in a folder named like its class"),
    b"\xff\xd8\xff": ("a single image", "pack images into a zip, each in a folder named like its class"),
}


@dataclass(frozen=True)
class TextSample:
    """The beginning of a text."""

    rows: Sequence[str]
    is_complete: bool

    @property
    def filled(self) -> list[str]:
        """The rows that are not blank."""
        return [row for row in self.rows if row.strip()]

    @classmethod
    def from_head(cls, head: bytes) -> "TextSample":
        """Decode the first bytes of a text, whatever its encoding."""
        encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark)), "utf-8")
        text = getincrementaldecoder(encoding)("replace").decode(head)
        rows = LINE_END.split(text)
        is_complete = len(head) < HEAD_BYTES
        return cls(rows if is_complete or len(rows) == 1 else rows[:-1], is_complete)  # the last one may be incomplete


def detect_binary(upload: Upload) -> str | None:
    """Return the format of bytes that are no text; `None` for text, or if there is no such format."""
    if is_archive(upload.path):
        with translate_archive_errors("zip"):
            return _archive_format(_member_paths(upload))
    with upload.path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(GZIP_MAGIC):
        return "idx" if _binary_format(_unpacked_start(head), 0) == "idx" else None
    return _binary_format(head, upload.path.stat().st_size)


def detect_format(upload: Upload) -> str | None:
    """Return the format that the content looks like, with the name as a hint.

    Raises `InvalidInput` if it is not read.
    """
    if (found := detect_binary(upload)) is not None:
        return found
    if is_archive(upload.path):
        return _detect_archived_text(upload)
    with upload.path.open("rb") as file:
        start = file.read(HEAD_BYTES)
    if start.startswith(GZIP_MAGIC):
        start = _unpacked_start(start)
        if not start or _binary_format(start, 1 << 62) is not None:
            detail = "the content is packed by gzip, and is neither text nor an IDX file"
            refuse("unknown_format", detail, "unpack it: gunzip FILE")
    refuse_foreign(start)
    return _text_format(SplitFile("train", upload.path), upload.source.file or "")


def refuse_foreign(head: bytes) -> None:
    """Raise `InvalidInput` for the first bytes of a file that is not read here."""
    for start, (what, hint) in FOREIGN_FORMATS.items():
        if head.startswith(start):
            refuse("unknown_format", f"the content is {what}, which looks like no format that is read here", hint)


def _binary_format(head: bytes, size: int) -> str | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head[:2] == b"\0\0" and len(head) > 3 and head[2] in IDX_DTYPES and 1 <= head[3] <= 8:
        return "idx"
    if len(head) > 8 and head[8:9] == b"{" and struct.unpack_from("<Q", head)[0] <= size:
        return "safetensors"
    return None


def _unpacked_start(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""


def _member_paths(upload: Upload) -> list[PurePosixPath]:
    members = archive_members(upload.path, upload.limit, max_ratio=1 << 62)  # the reader checks the ratio
    return [PurePosixPath(info.filename) for info in members]


def _archive_format(paths: Sequence[PurePosixPath]) -> str | None:
    if paths and all(path.suffix == ".npy" for path in paths):
        return "npz"
    if any(path.suffix.lower() in IMAGE_SUFFIXES for path in paths):
        return "images"
    return "idx" if any(IDX_FILE_NAME.search(path.name) for path in paths) else None


def _detect_archived_text(upload: Upload) -> str | None:
    paths = _member_paths(upload)
    if any(str(path).startswith("xl/") for path in paths):
        refuse("unknown_format", "the content is a workbook of Excel", "save the sheet as CSV")
    for path in paths:
        if path.suffix.lower() in ARCHIVE_SUFFIXES:
            refuse("unknown_format", f'there is an archive in the archive: "{str(path)[:200]}"', "unpack that one")
    for path in paths:
        if len(paths) == 1 or split_of(path.name) == "train":
            part = SplitFile("train", upload.path, str(path))
            with part.open() as member:
                head = member.read(HEAD_BYTES)
            size = zipfile.ZipFile(upload.path).getinfo(str(path)).file_size
            return _binary_format(head, size) or _text_format(part, path.name)
    return None


def _text_format(part: SplitFile, name: str) -> str | None:
    """Return the format that a text looks like."""
    with part.open() as file:
        sample = TextSample.from_head(file.read(HEAD_BYTES))
    by_name, filled = format_by_name(name), sample.filled
    if not filled:
        return by_name
    first, is_alone = filled[0].lstrip(), len(sample.rows) == 1
    if first.startswith("[") and PurePosixPath(name).suffix.lower() in ("", ".json"):
        refuse("unknown_format", "the content is a JSON list", "write one object a line: jq -c '.[]' FILE > NEW.jsonl")
    if first.startswith("{") and (_is_object(first) or (is_alone and not sample.is_complete) or by_name is None):
        return "jsonl"
    if by_name is not None:
        return by_name
    if first.startswith("(") and (is_alone or first.count("(") == first.count(")")):
        return "trees"
    return next((kind for kind, looks in TEXT_FORMAT_CHECKS.items() if looks(sample, part)), None)


def detect_text(upload: Upload) -> str | None:
    """Return "jsonl" if the first line of a file is a JSON object: a header or a sentence never is.

    Raises `InvalidInput` for a file that is no text.
    """
    if is_archive(upload.path):
        return None
    with SplitFile("train", upload.path).open() as file:
        head = file.read(HEAD_BYTES)
    refuse_foreign(head)
    filled = TextSample.from_head(head).filled
    return "jsonl" if filled and _is_object(filled[0]) else None


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _looks_like_vectors(sample: TextSample, part: SplitFile) -> bool:
    lines = [row.split() for row in sample.filled[:SNIFF_LINES]]
    if len(lines) > 1 and len(lines[0]) == 2:  # the number of vectors and their width
        lines = lines[1:]
    widths = {len(line) for line in lines}
    if len(widths) != 1 or min(widths) < 3 or not all(map(is_number, (cell for line in lines for cell in line[1:]))):
        return False
    return not all(is_number(line[0]) for line in lines)


def _looks_like_conll(sample: TextSample, part: SplitFile) -> bool:
    """Say whether there are blank lines between rows of equally many words, the last of which is no number."""
    lines = [row for row in sample.filled if not row.startswith(("#", "-DOCSTART-"))]
    cells = [row.split("\t") if "\t" in row else row.split() for row in lines]
    widths = {len(row) for row in cells}
    if len(widths) != 1 or min(widths) < 2 or any(" " in row[0].strip() for row in cells):
        return False
    columns = list(zip(*cells[1:], strict=True))  # the first line may be a header
    if CONLLU_COLUMNS not in widths and any(all(map(is_number, column)) for column in columns):
        return False
    return _has_blank_line_inside(sample, part)


def _has_blank_line_inside(sample: TextSample, part: SplitFile) -> bool:
    rows = "\n".join("x" if row.strip() else "" for row in sample.rows).strip("\n")
    if "\n\n" in rows:
        return True
    if sample.is_complete:
        return False
    blank = False
    for line in part.read_text(WarningCollector()):
        if line.strip() and blank:
            return True
        blank = not line.strip()
    return False


def _looks_like_table(sample: TextSample, part: SplitFile) -> bool:
    dialect = _dialect(sample)
    if dialect.separator in SEPARATORS:
        return any(dialect.separator in row for row in sample.rows[dialect.first_line : dialect.first_line + 1])
    rows = list(
        filter(str.strip, sample.rows[dialect.first_line + 1 : SNIFF_LINES])
    )  # blanks separate the words of a text, too: one that is a table has numbers
    return bool(rows) and all(any(map(is_number, row.split())) for row in rows)


def _looks_like_tsv(sample: TextSample, part: SplitFile) -> bool:
    return _looks_like_table(sample, part) and _dialect(sample).separator == "\t"


def _dialect(sample: TextSample) -> Dialect:
    return detect_dialect([row + "\n" for row in sample.rows[:SNIFF_LINES]], "", (), WarningCollector(), "")


# Format → whether a text looks like it; the first match is taken.
TEXT_FORMAT_CHECKS: Mapping[str, Callable[[TextSample, SplitFile], bool]] = {
    "vectors": _looks_like_vectors,
    "conll": _looks_like_conll,
    "tsv": _looks_like_tsv,
    "csv": _looks_like_table,
}
