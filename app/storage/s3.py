"""Artifacts in an S3-compatible bucket, through obstore."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.store import S3Store as Bucket

from app.errors import NotFound
from app.storage.protocol import StoredFile

PIECE = 1 << 20


class S3Store:
    """An `ArtifactStore` in a bucket. A put is atomic: S3 shows an object only when all of it has arrived."""

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        place = urlsplit(url)
        config: dict[str, Any] = {name: value for name, value in options.items() if name != "endpoint"}
        client: dict[str, Any] = {"timeout": "60s", "connect_timeout": "5s"}
        if "endpoint" in options:
            config["endpoint"] = options["endpoint"]
            client["allow_http"] = options["endpoint"].startswith("http://")
        prefix = place.path.strip("/") or None
        self._bucket = Bucket(place.netloc, prefix=prefix, config=config, client_options=client)

    def put_file(self, key: str, source: Path) -> StoredFile:
        """Store a local file, in parts if it is large."""
        with source.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        obstore.put(self._bucket, key, source)
        return StoredFile(key, source.stat().st_size, digest)

    def put_bytes(self, key: str, content: bytes) -> StoredFile:
        """Store bytes."""
        obstore.put(self._bucket, key, content)
        return StoredFile(key, len(content), hashlib.sha256(content).hexdigest())

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop` in pieces of at most 1 MiB."""
        end = self.size(key) if stop is None else stop
        for position in range(start, end, PIECE):
            yield bytes(obstore.get_range(self._bucket, key, start=position, end=min(position + PIECE, end)))

    def size(self, key: str) -> int:
        """Return the size in bytes."""
        try:
            return int(obstore.head(self._bucket, key)["size"])
        except FileNotFoundError as error:
            raise NotFound(f"there is no artifact {key}") from error

    def fetch(self, key: str, target: Path) -> Path:
        """Download the object to `target`."""
        with target.open("wb") as file:
            for piece in self.read(key):
                file.write(piece)
        return target

    def delete(self, key: str) -> None:
        """Remove the object; it is no error if it is gone."""
        try:
            obstore.delete(self._bucket, key)
        except FileNotFoundError:
            return

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with the prefix, sorted."""
        folder = prefix.rpartition("/")[0]
        found = (item["path"] for page in obstore.list(self._bucket, prefix=folder or None) for item in page)
        yield from sorted(key for key in found if key.startswith(prefix))
