"""Opens the store that an address names."""

from collections.abc import Mapping
from pathlib import Path

from app.storage.local import LocalStore
from app.storage.protocol import ArtifactStore


def open_store(url: str, options: Mapping[str, str]) -> ArtifactStore:
    """Open a directory, or ``s3://bucket/prefix`` with the options endpoint, region, access_key_id, secret_access_key.

    Raises `ValueError` for any other address.
    """
    if url.startswith("s3://"):
        from app.storage.s3 import S3Store  # noqa: PLC0415 - an optional extra

        return S3Store.from_url(url, options)
    if "://" in url and not url.startswith("file://"):
        raise ValueError(f"artifacts lie in a directory or in s3://bucket/prefix, not in {url}")
    return LocalStore(Path(url.removeprefix("file://")))
