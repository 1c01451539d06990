"""The files of an upload: one, or those of its splits in an archive."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from workers.data.files.archives import archive_members, is_archive, translate_archive_errors
from workers.data.files.content import Upload
from workers.data.files.problems import refuse

# Name of a file or folder → split.
SPLIT_BY_NAME = {"train": "train", **dict.fromkeys(("validation", "val", "valid", "dev"), "validation"), "test": "test"}
SPLITS = ("train", "validation", "test")  # in the order of their files
LAYOUT = "it holds train.EXT, and if you like validation.EXT and test.EXT"


@dataclass(frozen=True)
class SplitFile:
    """A file of one split."""

    split: str
    path: Path
    member: str = ""  # in the archive at `path`

    @property
    def name(self) -> str:
        """The name in problems: empty for the only file."""
        return self.member

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file. Raises `InvalidInput` if the archive is damaged, also while the file is read."""
        if not self.member:
            with self.path.open("rb") as file:
                yield file
            return
        with (
            translate_archive_errors("zip"),
            zipfile.ZipFile(self.path) as archive,
            archive.open(self.member) as content,
        ):
            yield cast(BinaryIO, content)


def split_files(upload: Upload) -> Sequence[SplitFile]:
    """Return the files of an upload, that of "train" first. Raises `InvalidInput`."""
    if not is_archive(upload.path):
        size = upload.path.stat().st_size
        if size > upload.limit:
            refuse("too_large", f"{size} bytes, at most {upload.limit} are allowed")
        return [SplitFile("train", upload.path)]
    files: dict[str, SplitFile] = {}
    for info in archive_members(upload.path, upload.limit):
        split = SPLIT_BY_NAME.get(Path(info.filename).name.partition(".")[0].lower())
        if split is None:
            refuse(
                "unknown_file", f'there is a file "{info.filename[:200]}" in the archive', LAYOUT, info.filename[:200]
            )
        if split in files:
            names = f'"{files[split].member}" and "{info.filename}"'
            refuse("duplicate_name", f"{names} are both for the split {split}", "leave one of them out")
        files[split] = SplitFile(split, upload.path, info.filename)
    if "train" not in files:
        refuse("no_rows", "there is no file for the split train in the archive", LAYOUT)
    return [files[split] for split in SPLITS if split in files]
