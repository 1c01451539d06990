"""Untrusted zip archives: checked before anything is unpacked, and never unpacked to names of their own."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import InvalidInput
from workers.data.files.problems import refuse

MAX_MEMBERS = 1_000_000
MAX_COMPRESSION_RATIO = 250  # of texts and images
RATIO_EXEMPT_BYTES = 64 << 20  # unpacked, below which the ratio is not checked
COMPRESSION_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED_FLAG = 0x1
ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    OverflowError,
    IndexError,
)
REUPLOAD_HINT = "it may be truncated: compare its size or SHA-256 with the original, and upload it again"


def is_archive(path: Path) -> bool:
    """Return whether a file is a zip archive that begins at its first byte."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def archive_members(path: Path, limit: int, max_ratio: int = MAX_COMPRESSION_RATIO) -> list[zipfile.ZipInfo]:
    """Return the files of an archive, without those of the operating system. Raises `InvalidInput`.

    `max_ratio` is how many times its packed size an archive may unpack to.
    """
    with translate_archive_errors("zip"), zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        refuse("too_many_files", f"the archive has {len(infos):,} files, at most {MAX_MEMBERS:,} are allowed")
    files = [info for info in infos if not info.is_dir()]
    for info in files:
        _check_member(info)
    _check_sizes(files, path.stat().st_size, limit, max_ratio)
    if len({info.filename for info in files}) < len(files):
        refuse("duplicate_name", "two files of the archive have the same name", "pack it again")
    return [info for info in files if not _is_system_file(info.filename)]


def _check_member(info: zipfile.ZipInfo) -> None:
    name = info.filename
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or ".." in parts or (len(name) > 1 and name[1] == ":"):
        refuse(
            "unsafe_name", f'the archive has a file "{name[:200]}", which leads out of it', "pack it again", name[:200]
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        refuse("unsafe_name", f'"{name[:200]}" is a symbolic link', "pack the file itself", name[:200])
    if info.flag_bits & ENCRYPTED_FLAG:
        refuse("unreadable", f'"{name[:200]}" is encrypted', "pack it without a password", name[:200])
    if info.compress_type not in COMPRESSION_METHODS:
        refuse("unreadable", f'"{name[:200]}" is packed in a way that is not read here', "use deflate", name[:200])


def _check_sizes(files: list[zipfile.ZipInfo], archive_size: int, limit: int, max_ratio: int) -> None:
    """Check the sizes in the directory: overlapping members claim more bytes than the archive has."""
    packed, size = sum(info.compress_size for info in files), sum(info.file_size for info in files)
    if packed > archive_size:
        detail = f"the archive has {archive_size:,} bytes, its files claim {packed:,} of them"
        refuse("unreadable", detail, REUPLOAD_HINT)
    if size > limit:
        refuse("too_large", f"{size:,} bytes unpacked, at most {limit:,} are allowed", "upload less at once")
    if size > RATIO_EXEMPT_BYTES and size > max_ratio * max(1, packed):
        detail = f"the archive unpacks to {size // max(1, packed):,} times its size, at most {max_ratio:,} are allowed"
        refuse("too_large", detail, "upload the file itself")


def _is_system_file(name: str) -> bool:
    """Return whether a file was left in the archive by an operating system."""
    parts = name.split("/")
    return (
        parts[0] == "__MACOSX"
        or any(part.startswith(".") for part in parts)
        or parts[-1] in ("Thumbs.db", "desktop.ini")
    )


@contextmanager
def translate_archive_errors(content_format: str) -> Iterator[None]:
    """Translate errors of damaged archives. Raises `InvalidInput`."""
    try:
        yield
    except InvalidInput:
        raise
    except ARCHIVE_ERRORS as error:
        refuse(
            "unreadable", f"the file cannot be read as {content_format}: {error or type(error).__name__}", REUPLOAD_HINT
        )
