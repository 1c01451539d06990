"""Zip archives of several files, byte for byte the same for the same files."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from graftwerk.errors import InvalidData

ZIP_TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the earliest that zip can store
SPLIT_NAMES = frozenset({"train", "test", "val", "valid", "validation", "dev"})
IDX_FILE_NAME = re.compile(r"(train|t10k|test).*(images|labels)", re.IGNORECASE)  # names of MNIST's files
# Stored without deflate, which would not make them smaller.
COMPRESSED_SUFFIXES = frozenset({".gz", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".parquet"})
CHUNK_BYTES = 1 << 20


def write_zip(paths: Sequence[Path], target: Path) -> None:
    """Write an archive of several files, or of a folder's content. Raises `InvalidData`."""
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
    """Return the files of the archive by their names in it.

    Two files that are not named like splits become ``train`` and ``test``, in this order.
    """
    if len(paths) == 1:
        folder = paths[0]
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        visible = {name: path for name, path in files.items() if not any(part[0] == "." for part in name.split("/"))}
        if not visible:
            raise InvalidData(f"{folder} has no files")
        return visible
    folders = [path for path in paths if not path.is_file()]
    if folders:
        raise InvalidData(f"{folders[0]} is not a file")
    named = {path.name: path for path in paths}
    known = all(_stem(path) in SPLIT_NAMES or IDX_FILE_NAME.search(path.name) for path in paths)
    if known and len(named) == len(paths):
        return named
    if len(paths) > 2:
        raise InvalidData("name each of several files like its split: train.csv, test.csv")
    first, second = paths
    return {f"train{''.join(first.suffixes[-1:])}": first, f"test{''.join(second.suffixes[-1:])}": second}


def _stem(path: Path) -> str:
    return path.name.partition(".")[0].lower()
