"""The manifest of a backup: `manifest.json` lists every file with its size and SHA-256, and has a digest of its own."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from app.disk.durability import publish
from app.errors import BackupError

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 1
ARTIFACTS_FOLDER = "artifacts"  # the folder; keys of the store are paths below it


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One file of a backup."""

    path: str  # relative to the backup's folder
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a backup."""

    created_at: str
    graftwerk: str  # version of the program
    kind: str  # sqlite or postgresql
    revision: str  # of the tables
    database: BackupFile
    artifacts: tuple[BackupFile, ...]
    left_out: Mapping[str, tuple[str, ...]]  # table → ids of rows whose files were removed while the backup ran
    damaged: tuple[str, ...] = ()  # keys of artifacts that were not what their rows say; their rows are left out
    version: int = field(default=MANIFEST_VERSION)

    def write(self, folder: Path) -> None:
        """Write the manifest, which completes the backup."""
        body = asdict(self)
        text = json.dumps({"sha256": _digest(body), "manifest": body}, indent=1)
        part = folder / f"{MANIFEST_NAME}.part"
        part.write_text(text + "\n")
        publish(part, folder / MANIFEST_NAME)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read a manifest. Raises `BackupError` if there is none, or if it is damaged."""
        path = folder / MANIFEST_NAME
        if not path.is_file():
            raise BackupError(f"{folder} holds no {MANIFEST_NAME}: it is not a backup, or an unfinished one")
        try:
            document = json.loads(path.read_bytes())
            body = document["manifest"]
            if document["sha256"] != _digest(body):
                raise ValueError("digest")
            if body["version"] != MANIFEST_VERSION:
                raise BackupError(f"{path} has version {body['version']}; this program knows {MANIFEST_VERSION}")
            return cls(
                **body
                | {
                    "database": BackupFile(**body["database"]),
                    "artifacts": tuple(BackupFile(**item) for item in body["artifacts"]),
                    "left_out": {table: tuple(ids) for table, ids in body["left_out"].items()},
                    "damaged": tuple(body["damaged"]),
                }
            )
        except (ValueError, KeyError, TypeError):
            raise BackupError(f"{path} is damaged") from None

    def verify(self, folder: Path) -> None:
        """Raise `BackupError` for a file that is missing or differs from the manifest."""
        for file in (self.database, *self.artifacts):
            path = folder / file.path
            if not path.is_file():
                raise BackupError(f"{path} is missing from the backup")
            if describe_file(folder, path) != file:
                raise BackupError(f"{path} is damaged: it is not what was backed up")


def describe_file(folder: Path, path: Path) -> BackupFile:
    """Return a file of the backup in `folder` as the manifest lists it."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return BackupFile(path.relative_to(folder).as_posix(), path.stat().st_size, digest)


def _digest(body: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
