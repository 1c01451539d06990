"""Artifacts in an S3-compatible bucket."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store as Bucket

from app.errors import NotFound, StorageFull, Unavailable
from app.storage.keys import chunk_lengths, validate_key
from app.storage.protocol import StoredFile

_STORAGE_FULL_PATTERN = re.compile(
    r"507 Insufficient Storage|\w*StorageFull|\w*QuotaExceeded"
)  # status, or S3's code: MinIO's, Ceph's
_PART_BYTES = 8 << 20  # bytes of one part of a multipart upload; smaller files are put at once


class S3Store:
    """Objects under a prefix. A put is atomic: a large one when its multipart upload is completed."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @classmethod
    def from_url(cls, url: str, options: Mapping[str, str]) -> "S3Store":
        """Open ``s3://bucket/prefix``; without keys in `options` the machine's own credentials are used."""
        place = urlsplit(url)
        bucket = Bucket(
            place.netloc,
            prefix=place.path.strip("/") or None,
            config={**options},  # type: ignore[arg-type] # the four names that `open_store` documents
            client_options={"allow_http": options.get("endpoint", "").startswith("http://"), "timeout": "60s"},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
        )
        return cls(bucket)

    def put_file(self, key: str, source: Path) -> StoredFile:
        """Store a local file."""
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with _translate_errors(key):
            obstore.put(self._bucket, validate_key(key), source, chunk_size=_PART_BYTES)
        return StoredFile(key, source.stat().st_size, digest)

    def put_bytes(self, key: str, content: bytes) -> StoredFile:
        """Store bytes."""
        with _translate_errors(key):
            obstore.put(self._bucket, validate_key(key), content, chunk_size=_PART_BYTES)
        return StoredFile(key, len(content), hashlib.sha256(content).hexdigest())

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop` (exclusive) in pieces of at most 1 MiB. Raises `NotFound` now."""
        size = self.size(key)
        return self._pieces(key, start, size if stop is None else min(stop, size))

    def _pieces(self, key: str, start: int, stop: int) -> Iterator[bytes]:
        for length in chunk_lengths(start, stop):
            with _translate_errors(key):
                piece = bytes(obstore.get_range(self._bucket, key, start=start, length=length))
            if len(piece) != length:
                raise Unavailable(f"the artifact store sent {len(piece)} bytes of {key} instead of {length}")
            yield piece
            start += length

    def size(self, key: str) -> int:
        """Return the size in bytes."""
        with _translate_errors(key):
            return obstore.head(self._bucket, validate_key(key))["size"]

    def fetch(self, key: str, target: Path) -> Path:
        """Download to `target`, which appears once it is complete."""
        part, pieces = target.with_name(target.name + ".part"), self.read(key)
        with part.open("wb") as file:
            file.writelines(pieces)
        return part.replace(target)

    def delete(self, key: str) -> None:
        """Remove the object; it is no error if it is gone."""
        try:
            with _translate_errors(key):
                obstore.delete(self._bucket, validate_key(key))
        except NotFound:
            return

    def keys(self, prefix: str, older: float = 0.0) -> Iterator[str]:
        """Yield the keys that begin with the prefix, of objects that were put at least `older` seconds ago."""
        latest = datetime.now(UTC) - timedelta(seconds=older)
        folder = prefix.rpartition("/")[0]  # S3 itself lists folders only
        with _translate_errors(prefix):
            for page in obstore.list(self._bucket, folder or None):
                for item in page:
                    if item["path"].startswith(prefix) and (not older or item["last_modified"] <= latest):
                        yield item["path"]

    def remove_temporary_files(self) -> None:
        """Do nothing: uploads in parts that died end by a rule of the bucket (AbortIncompleteMultipartUpload)."""


@contextmanager
def _translate_errors(key: str) -> Iterator[None]:
    """Translate what goes wrong: no such object, no room, or a store that does not answer."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"there is no file {key}") from None
    except BaseError as error:
        if refused := _STORAGE_FULL_PATTERN.search(str(error)):
            raise StorageFull(f"no room in the artifact store: {refused[0]}") from error
        raise Unavailable(f"the artifact store does not answer: {type(error).__name__}") from error
