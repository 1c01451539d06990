"""The files of an upload: one, or those of its splits in an archive."""

import gzip
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from workers.data.files.archives import (
    MAX_COMPRESSION_RATIO,
    RATIO_EXEMPT_BYTES,
    archive_members,
    is_archive,
    translate_archive_errors,
)
from workers.data.files.content import MAX_UNPACKED_BYTES, Upload
from workers.data.files.lines import read_lines
from workers.data.files.problems import WarningCollector, refuse

GZIP_MAGIC = b"\x1f\x8b"
# Name of a file or folder → split.
SPLIT_BY_NAME = {"train": "train", **dict.fromkeys(("validation", "val", "valid", "dev"), "validation"), "test": "test"}
SPLITS = ("train", "validation", "test")  # in the order of their files
LAYOUT = "it holds one file, or train.EXT, and if you like validation.EXT and test.EXT"


@dataclass(frozen=True)
class SplitFile:
    """A file of one split."""

    split: str
    path: Path
    member: str = ""  # in the archive at `path`
    encoding: str | None = None  # of a text, as the user says
    limit: int = MAX_UNPACKED_BYTES

    @property
    def name(self) -> str:
        """The name in problems: empty for the only file."""
        return self.member

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file, unpacked. Raises `InvalidInput` if the archive is damaged, also while the file is read."""
        if self.member:
            with (
                translate_archive_errors("zip"),
                zipfile.ZipFile(self.path) as archive,
                archive.open(self.member) as content,
            ):
                yield cast(BinaryIO, content)
        elif is_gzip(self.path):
            with translate_archive_errors("gzip"), gzip.open(self.path) as unpacked:
                yield cast(BinaryIO, unpacked)
        else:
            with self.path.open("rb") as file:
                yield file

    def read_text(self, warnings: WarningCollector) -> Iterator[str]:
        """Yield the lines of a text with their ends. Raises `InvalidInput`."""
        limit = self.limit
        if not self.member and is_gzip(self.path):
            limit = min(limit, max(RATIO_EXEMPT_BYTES, MAX_COMPRESSION_RATIO * self.path.stat().st_size))
        with self.open() as file:
            yield from read_lines(file, self.name, self.encoding, limit, warnings)


def is_gzip(path: Path) -> bool:
    """Return whether a file is packed by gzip."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def split_files(upload: Upload) -> Sequence[SplitFile]:
    """Return the files of an upload, that of "train" first; a single one of any name. Raises `InvalidInput`."""
    encoding, limit = upload.source.encoding, upload.limit
    if not is_archive(upload.path):
        size = upload.path.stat().st_size
        if size > limit:
            refuse("too_large", f"{size:,} bytes, at most {limit:,} are allowed")
        return [SplitFile("train", upload.path, "", encoding, limit)]
    files = {
        split: SplitFile(split, upload.path, member, encoding, limit)
        for split, member in _members_by_split(upload).items()
    }
    if "train" not in files:
        refuse("no_rows", "there is no file for the split train in the archive", LAYOUT)
    return [files[split] for split in SPLITS if split in files]


def _members_by_split(upload: Upload) -> Mapping[str, str]:
    """Return the file of every split in an archive. Raises `InvalidInput`."""
    names = [info.filename for info in archive_members(upload.path, upload.limit)]
    if len(names) == 1:
        return {"train": names[0]}
    files: dict[str, str] = {}
    for name in names:
        split = split_of(name)
        if split is None:
            refuse("unknown_file", f'there is a file "{name[:200]}" in the archive', LAYOUT, name[:200])
        if split in files:
            detail = f'"{files[split]}" and "{name}" are both for the split {split}'
            refuse("duplicate_name", detail, "leave one of them out")
        files[split] = name
    return files


def split_of(name: str) -> str | None:
    """Return the split that a file's name stands for, such as "test" for val.csv."""
    return SPLIT_BY_NAME.get(Path(name).name.partition(".")[0].lower())
