"""Makes a backup while the service runs: the database first, then every artifact that it lists."""

import hashlib
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.backup import databases
from app.backup.databases import ArtifactRef
from app.backup.manifest import ARTIFACTS_FOLDER, BackupFile, Manifest, describe_file
from app.db import revisions
from app.db.session import Database
from app.db.tables import CheckpointRow, ContentRow, DatasetRow
from app.disk.durability import make_directory, sync_file
from app.errors import BackupError, NotFound
from app.storage.protocol import ArtifactStore

MAX_SNAPSHOTS = 5  # snapshots taken until none of their artifacts is removed while it is copied
ID_COLUMNS = {"checkpoints": CheckpointRow.id, "contents": ContentRow.path, "datasets": DatasetRow.id}


def create(db: Database, store: ArtifactStore, folder: Path) -> Manifest:
    """Back up into a folder that is new or empty. Raises `BackupError`, `Unavailable`.

    Checkpoints are removed all the time, as newer ones come. If one of the snapshot's is gone before it is copied,
    another snapshot is taken, which lists the newer one; what is still missing in the end is left out by name.
    """
    make_directory(folder)
    if any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty", hint="name a new folder")
    unfit = revisions.revision_mismatch(db)
    if unfit is not None:
        raise BackupError(unfit[0], hint=unfit[1])
    copied: dict[str, BackupFile] = {}
    for _ in range(MAX_SNAPSHOTS):
        file, listed = databases.snapshot(db, folder)
        gone, damaged = _copy(store, folder, listed, copied)
        if not gone:
            break
        damaged = [*damaged, *(item for item in gone if db.read(_is_still_referenced, item))]  # a row without its file
    missing = {(item.table, item.row_id) for item in (*gone, *damaged)}
    left_out: dict[str, tuple[str, ...]] = {
        table: tuple(sorted(row for where, row in missing if where == table)) for table in ID_COLUMNS
    }
    expected = {item.key for item in listed if (item.table, item.row_id) not in missing}
    for key in copied.keys() - expected:  # of an earlier snapshot
        (folder / copied.pop(key).path).unlink()
    manifest = Manifest(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        graftwerk=version("graftwerk"),
        kind=db.url.get_backend_name(),
        revision=revisions.head_revision(),
        database=describe_file(folder, file),
        artifacts=tuple(copied[key] for key in sorted(copied)),
        left_out=left_out,
        damaged=tuple(sorted({item.key for item in damaged})),
    )
    for directory, _, _ in os.walk(folder):
        sync_file(Path(directory))
    sync_file(file)
    manifest.write(folder)
    return manifest


def _copy(
    store: ArtifactStore, folder: Path, listed: Iterable[ArtifactRef], copied: dict[str, BackupFile]
) -> tuple[list[ArtifactRef], list[ArtifactRef]]:
    """Copy the artifacts that are not copied yet; return those that are missing, and those that are damaged."""
    gone, damaged = [], []
    for item in listed:
        if item.key in copied:
            continue
        path = folder / ARTIFACTS_FOLDER / item.key
        try:
            copy = _copy_one(store, item.key, path, folder)
        except NotFound:
            path.unlink(missing_ok=True)
            gone.append(item)
            continue
        if copy.sha256 == item.sha256:
            copied[item.key] = copy
        else:
            path.unlink()
            damaged.append(item)
    return gone, damaged


def _copy_one(store: ArtifactStore, key: str, path: Path, folder: Path) -> BackupFile:
    make_directory(path.parent)
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for piece in store.read(key):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return BackupFile(path.relative_to(folder).as_posix(), size, digest.hexdigest())


def _is_still_referenced(session: Session, item: ArtifactRef) -> bool:
    """Return whether the row still exists."""
    column = ID_COLUMNS[item.table]
    return session.scalar(select(column).where(column == item.row_id)) is not None
