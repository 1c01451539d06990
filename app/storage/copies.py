"""Copies of stored files on this machine: verified once, and the least recently used removed when they are too many."""

import errno
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from typing import Any

from app.errors import CheckpointDamaged, StorageFull
from app.ids import new_id
from app.storage.protocol import ArtifactStore

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

Stamp = tuple[int, int]  # when a file was written (nanoseconds), and its size
NEVER: Stamp = (0, 0)


class Copies:
    """Files by their SHA-256, together of at most `limit` bytes, apart from those that are in use; safe for threads.

    A file that lies on this machine anyway is not copied, only verified.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit
        self._used: Counter[str] = Counter()
        self._whole: dict[str, tuple[Path, Stamp]] = {}  # the store's own files that were verified
        self._lock = threading.Lock()
        self._fetching = threading.Lock()  # one file is fetched at a time, so that nobody fetches one twice

    @contextmanager
    def held(self, store: ArtifactStore, files: Sequence[Mapping[str, Any]]) -> Iterator[list[Path]]:
        """Return where files {path, sha256} lie on this machine, for as long as they are needed.

        Raises `NotFound`, `Unavailable`, `StorageFull`, and `CheckpointDamaged` for one that is not what was stored.
        """
        digests = [str(file["sha256"]) for file in files]
        with self._lock:
            self._used.update(digests)
        try:
            yield [self._have(store, file) for file in files]
        finally:
            with self._lock:
                self._used.subtract(digests)
                self._used = +self._used

    def _have(self, store: ArtifactStore, file: Mapping[str, Any]) -> Path:
        found = self._known(file["sha256"])
        if found is not None:
            return found
        with self._fetching:
            return self._known(file["sha256"]) or self._fetched(store, file)

    def _known(self, digest: str) -> Path | None:
        copy = self._folder / digest
        with suppress(FileNotFoundError):
            os.utime(copy)  # the latest is removed last
            return copy
        path, stamp = self._whole.get(digest, (copy, NEVER))
        return path if _stamp(path) == stamp else None

    def _fetched(self, store: ArtifactStore, file: Mapping[str, Any]) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._folder / new_id("part")
        try:
            path = store.fetch(file["path"], part)
            with path.open("rb") as content:
                digest = file_digest(content, "sha256").hexdigest()
            if digest != file["sha256"]:
                hint = "look at the artifact store, or name another checkpoint"
                raise CheckpointDamaged(f"{file['path']} is not what was stored", hint=hint)
            if path != part:
                self._whole[digest] = (path, _stamp(path) or NEVER)
                return path
            copy = part.replace(self._folder / digest)
        except OSError as error:
            if error.errno in FULL:
                raise StorageFull(
                    "no room for a copy of a checkpoint", hint="make room in the home directory"
                ) from error
            raise
        finally:
            for left in (part, part.with_name(part.name + ".part")):  # of a download that broke off
                left.unlink(missing_ok=True)
        self._shrink()
        return copy

    def _shrink(self) -> None:
        """Remove copies that nobody uses, the least recently used ones first, until the others fit."""
        found = [(stamp, path) for path in self._folder.iterdir() if (stamp := _stamp(path)) is not None]
        total = 0
        with self._lock:
            for (_, size), path in sorted(found, reverse=True):
                total += size
                if total > self._limit and not self._used[path.name]:
                    path.unlink(missing_ok=True)


def _stamp(path: Path) -> Stamp | None:
    """Return a file's stamp; `None` if it is gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
