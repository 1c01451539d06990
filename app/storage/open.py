"""Opens the store that a URL names."""

from collections.abc import Mapping
from pathlib import Path

from app.storage.local import LocalStore
from app.storage.protocol import ArtifactStore


def open_store(url: str, options: Mapping[str, str]) -> ArtifactStore:
    """Return the store at a directory or at ``s3://bucket/prefix``.

    `options` of S3: endpoint, region, access_key_id, secret_access_key.
    """
    if not url.startswith("s3://"):
        return LocalStore(Path(url))
    from app.storage.s3 import S3Store  # noqa: PLC0415 - the extra [s3] is optional

    return S3Store(url, options)
