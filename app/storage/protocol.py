"""The protocol of artifact stores, and the records of files in database rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, Protocol, TypedDict


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file: its key, its size in bytes and its SHA-256 in hexadecimal."""

    key: str
    size: int
    sha256: str


class FileRecord(TypedDict):
    """A stored file as rows list it: the file's name, its key, size in bytes, SHA-256, and whether users may see it."""

    name: str
    path: str
    size: int
    sha256: str
    public: NotRequired[bool]


class PartRecord(TypedDict):
    """A part of an upload as rows list it: its key, size in bytes, SHA-256, and the size that the whole is to have."""

    path: str
    size: int
    sha256: NotRequired[str]  # that of parts before version 1 is not known
    total: NotRequired[int]


class ArtifactStore(Protocol):
    """A small store. Keys are relative POSIX paths of ``[A-Za-z0-9._-]`` parts, chosen by the service, never by users.

    A put is atomic and durable: after it returns the complete file is there and survives a crash; before, nothing is
    visible under the key. Implementations raise `app.errors.NotFound` and `app.errors.StorageFull`.
    """

    def put_file(self, key: str, source: Path) -> StoredFile:
        """Store a local file."""
        ...

    def put_bytes(self, key: str, content: bytes) -> StoredFile:
        """Store bytes."""
        ...

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop` (exclusive) in pieces of at most 1 MiB."""
        ...

    def size(self, key: str) -> int:
        """Return the size in bytes."""
        ...

    def fetch(self, key: str, target: Path) -> Path:
        """Make the content available as a local file; returns the path (the stored file itself where it is local)."""
        ...

    def delete(self, key: str) -> None:
        """Remove the file; it is no error if it is gone."""
        ...

    def keys(self, prefix: str, older: float = 0.0) -> Iterator[str]:
        """Yield the keys that begin with the prefix, of files that were put at least `older` seconds ago."""
        ...

    def remove_temporary_files(self) -> None:
        """Remove what puts that died left behind, as far as the store cannot do so itself."""
        ...
