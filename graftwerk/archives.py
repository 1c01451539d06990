"""Several files as one: a zip archive that is the same, byte for byte, whenever it is made of the same files."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from graftwerk.errors import InvalidData

ZIP_TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip knows
SPLIT_NAMES = frozenset({"train", "test", "val", "valid", "validation", "dev"})
IDX_FILE_NAME = re.compile(r"(train|t10k|test).*(images|labels)", re.IGNORECASE)  # names of MNIST's files
COMPRESSED_SUFFIXES = frozenset(
    {".gz", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".parquet"}
)  # what deflate makes no smaller
CHUNK_BYTES = 1 << 20


def write_zip(paths: Sequence[Path], target: Path) -> None:
    """Write an archive of files, or of what lies in a folder. Raises `NotData`."""
    with zipfile.ZipFile(target, "w") as archive:
        for name, path in sorted(archive_members(paths).items()):
            method = zipfile.ZIP_STORED if path.suffix.lower() in COMPRESSED_SUFFIXES else zipfile.ZIP_DEFLATED
            info = zipfile.ZipInfo(name, ZIP_TIMESTAMP)
            info.compress_type = method
            info.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(info, "w") as out:
                while piece := source.read(CHUNK_BYTES):
                    out.write(piece)


def archive_members(paths: Sequence[Path]) -> dict[str, Path]:
    """Return which file has which name in the archive.

    Of two files that are not named like splits the first is for training, and the second is held out.
    """
    if len(paths) == 1:
        folder = paths[0]
        found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        found = {name: path for name, path in found.items() if not any(part[0] == "." for part in name.split("/"))}
        if not found:
            raise InvalidData(f"{folder} has no files")
        return found
    folders = [path for path in paths if not path.is_file()]
    if folders:
        raise InvalidData(f"{folders[0]} is no file")
    named = {path.name: path for path in paths}
    known = all(_stem(path) in SPLIT_NAMES or IDX_FILE_NAME.search(path.name) for path in paths)
    if known and len(named) == len(paths):
        return named
    if len(paths) > 2:
        raise InvalidData("of several files each is named like its split: train.csv, test.csv")
    first, second = paths
    return {f"train{''.join(first.suffixes[-1:])}": first, f"test{''.join(second.suffixes[-1:])}": second}


def _stem(path: Path) -> str:
    return path.name.partition(".")[0].lower()
