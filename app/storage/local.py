"""Artifacts in a directory."""

import fcntl
import hashlib
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.disk.capacity import translate_disk_full
from app.disk.durability import make_directory, sync_file
from app.errors import NotFound
from app.faultpoints import faultpoint
from app.storage.keys import CHUNK_BYTES, chunk_lengths, validate_key
from app.storage.protocol import StoredFile

_INCOMING = ".incoming"  # no key begins with a dot
_MAX_ATTEMPTS = 10
_MAX_REMEMBERED = 10_000  # directories
_LEFTOVER_SECONDS = 3600  # younger files may belong to a put that has not locked them yet
_FULL_HINT = "delete jobs or data sets, or make room where the artifacts lie"


class LocalStore:
    """Files under a root. A put writes to ``.incoming``, syncs, renames into place and syncs the directory."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._incoming = self._root / _INCOMING
        self._synced: set[tuple[Path, int]] = set()  # folders, and their inodes, whose entries this process has synced
        make_directory(self._incoming)
        self.remove_temporary_files()

    def put_file(self, key: str, source: Path) -> StoredFile:
        """Store a local file."""
        with source.open("rb") as file:
            return self._put(key, iter(lambda: file.read(CHUNK_BYTES), b""))

    def put_bytes(self, key: str, content: bytes) -> StoredFile:
        """Store bytes."""
        return self._put(key, [content])

    def _put(self, key: str, content: Iterable[bytes]) -> StoredFile:
        target = self._path(key)
        digest, size = hashlib.sha256(), 0
        temporary = self._incoming / uuid.uuid4().hex
        full = translate_disk_full("artifacts", _FULL_HINT)
        with full, _remove_on_error(temporary), temporary.open("xb", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # until the process ends, whatever ends it: nobody else removes the file
            faultpoint("file_opened")
            for piece in content:
                digest.update(piece)
                size += len(piece)
                rest = memoryview(piece)
                while rest:
                    rest = rest[file.write(rest) :]
                faultpoint("file_half_written")
            os.fsync(file.fileno())
            faultpoint("file_synced")
            self._publish(temporary, target)
        return StoredFile(key, size, digest.hexdigest())

    def _publish(self, temporary: Path, target: Path) -> None:
        for attempts_left in reversed(range(_MAX_ATTEMPTS)):
            try:
                self._make_directory(target.parent)
                temporary.replace(target)
                break
            except (FileNotFoundError, FileExistsError):  # a delete removed the directory, before or after mkdir looked
                if not attempts_left:
                    raise
        faultpoint("file_renamed")
        with suppress(FileNotFoundError):  # then another caller deleted this very key already
            sync_file(target.parent)

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop` (exclusive) in pieces of at most 1 MiB. Raises `NotFound` now."""
        size = self.size(key)
        return self._pieces(key, start, size if stop is None else min(stop, size))

    def _pieces(self, key: str, start: int, stop: int) -> Iterator[bytes]:
        with _translate_not_found(key), self._path(key).open("rb", buffering=0) as file:
            file.seek(start)
            for length in chunk_lengths(start, stop):
                yield file.read(length)

    def size(self, key: str) -> int:
        """Return the size in bytes."""
        path = self._path(key)
        if not path.is_file():
            raise NotFound(f"there is no file {key}")
        with _translate_not_found(key):
            return path.stat().st_size

    def fetch(self, key: str, target: Path) -> Path:
        """Return where the stored file itself lies; nothing is copied to `target`."""
        self.size(key)
        return self._path(key)

    def delete(self, key: str) -> None:
        """Remove the file, and directories that it leaves empty; it is no error if it is gone."""
        path = self._path(key)
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            path.unlink()
        for parent in path.parents:
            if parent == self._root:
                return
            try:
                parent.rmdir()
            except OSError:  # not empty, or gone already
                return

    def keys(self, prefix: str, older: float = 0.0) -> Iterator[str]:
        """Yield the keys that begin with the prefix, of files that were put at least `older` seconds ago."""
        latest = time.time() - older
        folder = self._root / prefix.rpartition("/")[0]
        for directory, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if name != _INCOMING)
            for name in sorted(files):
                path = Path(directory) / name
                key = path.relative_to(self._root).as_posix()
                if key.startswith(prefix) and (not older or _modified_at(path) <= latest):
                    yield key

    def _path(self, key: str) -> Path:
        return self._root / validate_key(key)

    def _make_directory(self, folder: Path) -> None:
        """Create a directory that survives a power cut. What another process has just created may not be synced yet."""
        path = self._root
        for name in folder.relative_to(self._root).parts:
            parent, path = path, path / name
            is_new = _make_one_directory(path)
            entry = (path, path.stat().st_ino)
            if is_new or entry not in self._synced:
                sync_file(parent)
                if len(self._synced) >= _MAX_REMEMBERED:
                    self._synced.clear()
                self._synced.add(entry)

    def remove_temporary_files(self) -> None:
        """Remove what a put left behind when its process was killed: files that nobody has locked."""
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError, BlockingIOError):  # another process was faster, or the put goes on
                if path.stat().st_mtime < time.time() - _LEFTOVER_SECONDS:
                    with path.open("r+b") as file:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        path.unlink()


def _make_one_directory(path: Path) -> bool:
    """Create a directory; return whether it was missing."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def _modified_at(path: Path) -> float:
    """Return when a file was put, in Unix seconds; infinity if it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


@contextmanager
def _translate_not_found(key: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"there is no file {key}") from None


@contextmanager
def _remove_on_error(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
