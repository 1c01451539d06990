"""Copies of stored files on this machine: verified once, and the least recently used removed when they are too many."""

import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from typing import Any

from app.disk.capacity import translate_disk_full
from app.disk.durability import sync_file
from app.disk.spool import Spool, remove_abandoned
from app.errors import CorruptCheckpoint
from app.storage.protocol import ArtifactStore

FileStamp = tuple[int, int]  # when a file was written (nanoseconds), and its size
NO_STAMP: FileStamp = (0, 0)
FULL_HINT = "make room in the home directory"


class ArtifactCache:
    """Files by their SHA-256, together of at most `limit` bytes, apart from those that are in use; safe for threads.

    A file of a store on this machine is not copied, only verified.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit
        self._incoming = Spool(folder / "incoming", "api")  # in the same file system: a complete copy is renamed
        with suppress(OSError):
            remove_abandoned(self._incoming.root)
        self._in_use: Counter[str] = Counter()
        self._verified: dict[str, tuple[Path, FileStamp]] = {}  # the store's own files that were verified
        self._lock = threading.Lock()
        self._fetching = threading.Lock()  # one file is fetched at a time, so that nobody fetches one twice

    @contextmanager
    def local_files(self, store: ArtifactStore, files: Sequence[Mapping[str, Any]]) -> Iterator[list[Path]]:
        """Return where files {path, sha256} lie on this machine, for as long as they are needed.

        Raises `NotFound`, `Unavailable`, `StorageFull`, and `CorruptCheckpoint` for one that is not what was stored.
        """
        digests = [str(file["sha256"]) for file in files]
        with self._lock:
            self._in_use.update(digests)
        try:
            yield [self._find_or_fetch(store, file) for file in files]
        finally:
            with self._lock:
                self._in_use.subtract(digests)
                self._in_use = +self._in_use

    def _find_or_fetch(self, store: ArtifactStore, file: Mapping[str, Any]) -> Path:
        path = self._find_verified(file["sha256"])
        if path is not None:
            return path
        with self._fetching:
            return self._find_verified(file["sha256"]) or self._fetch(store, file)

    def _find_verified(self, digest: str) -> Path | None:
        copy = self._folder / digest
        with suppress(FileNotFoundError):
            os.utime(copy)  # the latest is removed last
            return copy
        path, stamp = self._verified.get(digest, (copy, NO_STAMP))
        return path if _file_stamp(path) == stamp else None

    def _fetch(self, store: ArtifactStore, file: Mapping[str, Any]) -> Path:
        with translate_disk_full("a copy of a checkpoint", FULL_HINT), self._incoming.folder("fetch") as staging:
            part = staging / "file"
            path = store.fetch(file["path"], part)
            with path.open("rb") as content:
                digest = file_digest(content, "sha256").hexdigest()
            if digest != file["sha256"]:
                hint = "look at the artifact store, or name another checkpoint"
                raise CorruptCheckpoint(f"{file['path']} is not what was stored", hint=hint)
            if path != part:
                self._verified[digest] = (path, _file_stamp(path) or NO_STAMP)
                return path
            sync_file(part)  # nobody verifies it again: a power cut must not leave the name of what is not there
            copy = part.replace(self._folder / digest)
        self._evict()
        return copy

    def close(self) -> None:
        """Remove what is not complete."""
        self._incoming.close()

    def _evict(self) -> None:
        """Remove unused copies, the least recently used first, until the rest fits."""
        copies = [
            (stamp, path)
            for path in self._folder.iterdir()
            if path.is_file() and (stamp := _file_stamp(path)) is not None
        ]
        total = 0
        with self._lock:
            for (_, size), path in sorted(copies, reverse=True):
                total += size
                if total > self._limit and not self._in_use[path.name]:
                    path.unlink(missing_ok=True)


def _file_stamp(path: Path) -> FileStamp | None:
    """Return a file's stamp; `None` if it is gone."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size
