"""Artifacts in a directory: temporary file → fsync → rename → fsync of the directory."""

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.errors import NotFound, StorageFull
from app.storage.protocol import StoredFile

PIECE = 1 << 20
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LocalStore:
    """An `ArtifactStore` in a directory of one file system."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put_file(self, key: str, source: Path) -> StoredFile:
        """Store a local file."""
        with source.open("rb") as content:
            return self._put(key, iter(lambda: content.read(PIECE), b""))

    def put_bytes(self, key: str, content: bytes) -> StoredFile:
        """Store bytes."""
        return self._put(key, iter([content]))

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop` in pieces of at most 1 MiB."""
        path = self._existing(key)
        left = (path.stat().st_size if stop is None else stop) - start
        with path.open("rb") as content:
            content.seek(start)
            while left > 0 and (piece := content.read(min(PIECE, left))):
                left -= len(piece)
                yield piece

    def size(self, key: str) -> int:
        """Return the size in bytes."""
        return self._existing(key).stat().st_size

    def fetch(self, key: str, target: Path) -> Path:
        """Return the path of the stored file itself; it must not be written to."""
        return self._existing(key)

    def delete(self, key: str) -> None:
        """Remove the file, and directories that became empty."""
        path = self._path(key)
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self._root or not folder.exists():
                break
            try:
                folder.rmdir()
            except OSError:
                break  # something else lies there

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with the prefix, sorted."""
        folder = self._root / prefix.rpartition("/")[0]
        for path in sorted(folder.rglob("*")):
            key = path.relative_to(self._root).as_posix()
            if path.is_file() and key.startswith(prefix) and not path.name.startswith("."):
                yield key

    def _put(self, key: str, pieces: Iterator[bytes]) -> StoredFile:
        target = self._path(key)
        digest, size = hashlib.sha256(), 0
        with _full_is_an_answer(), _temporary(target) as file:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                file.write(piece)
        return StoredFile(key, size, digest.hexdigest())

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise NotFound(f"{key!r} is no artifact key")
        return self._root / key

    def _existing(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise NotFound(f"there is no artifact {key}")
        return path


@contextmanager
def _full_is_an_answer() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(f"no room in the artifact store: {error.strerror}") from error
        raise


@contextmanager
def _temporary(target: Path) -> Iterator[BinaryIO]:
    """Write beside the target and move into place at the end; after a failure nothing is left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    for folder in (target.parent, target.parent.parent):  # a new directory must survive a crash as well
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(descriptor)
        os.close(descriptor)


def free_bytes(root: Path) -> int:
    """Return the free space of the file system."""
    return shutil.disk_usage(root).free
