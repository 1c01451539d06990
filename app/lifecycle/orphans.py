"""Removes files that no row references, and that no row can come to reference any more."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import Database
from app.db.tables import CheckpointRow, ContentRow, DatasetRow, DeploymentRow, JobRow
from app.errors import NotFound
from app.jobs.states import Status
from app.storage.keys import attempt_prefix, job_prefix
from app.storage.protocol import ArtifactStore
from app.storage.removal import remove_files

MIN_AGE_SECONDS = 3600.0  # the row of a file that was written later may be on its way
BATCH_SIZE = 500  # keys looked up at a time
KEY_PREFIXES = ("jobs/", "exports/", "datasets/", "contents/")  # of all stored files but the mark
DEPLOYMENT_KEY = "deployment"  # the mark: a file with the id of the database that owns the store

_log = structlog.get_logger(__name__)


def remove_job_orphans(db: Database, store: ArtifactStore, job_id: str, fence: int) -> None:
    """Remove what attempts up to `fence` left without a row, for example half a checkpoint after a crash."""
    prefix = job_prefix(job_id)
    keys = list(store.keys(prefix))
    referenced = db.read(_checkpoint_keys, [prefix])
    remove_files(store, [key for key in keys if key not in referenced and _key_fence(key) <= fence])


def _key_fence(key: str) -> int:
    """Return the fence in ``jobs/<job>/<fence>/…``."""
    return int(key.split("/")[2])


def remove_orphans(db: Database, store: ArtifactStore, seconds: float = MIN_AGE_SECONDS) -> None:
    """Remove every file older than `seconds` that no row references, whatever crash left it behind.

    A store that another database has marked as its own is left alone.
    """
    if not _is_own_store(db, store):
        return
    store.remove_temporary_files()
    for keys in _batches(key for prefix in KEY_PREFIXES for key in store.keys(prefix, seconds)):
        orphans = db.read(find_unreferenced, keys)
        if orphans:
            _log.info("orphans_removed", count=len(orphans), first=orphans[0])
        remove_files(store, orphans)


def _is_own_store(db: Database, store: ArtifactStore) -> bool:
    """Return whether the store is marked as this database's. One without a mark is marked, for the next time."""
    own = db.read(deployment_id)
    try:
        owner = b"".join(store.read(DEPLOYMENT_KEY)).decode()
    except NotFound:
        store.put_bytes(DEPLOYMENT_KEY, own.encode())
        return False
    if owner != own:
        _log.warning("artifacts_of_another_database", marked=owner, database=own)
    return owner == own


def deployment_id(session: Session) -> str:
    """Return the id of this database."""
    return session.scalars(select(DeploymentRow.id)).one()


def _batches(keys: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(keys, BATCH_SIZE)):
        yield batch


def find_unreferenced(session: Session, keys: Sequence[str]) -> list[str]:
    """Return the keys that no row references.

    Files of an attempt that owns its job are left out: their row may be on its way, however long the database was
    away. No other attempt's row is accepted any more. The row of a data set follows its file within one request.
    """
    referenced = _checkpoint_keys(session, keys) | _dataset_keys(session, keys)
    running = _running_attempt_prefixes(session, keys)
    ids = CheckpointRow.id.in_(_key_parts(keys, "exports", 2))
    exported = set(session.scalars(select(CheckpointRow.id).where(ids)))
    return [
        key
        for key in keys
        if key not in referenced and not key.startswith(running) and not _is_export_of(key, exported)
    ]


def _checkpoint_keys(session: Session, keys: Sequence[str]) -> set[str]:
    """Return the keys of all checkpoints of the jobs that occur in `keys`."""
    rows = select(CheckpointRow.files).where(CheckpointRow.job_id.in_(_key_parts(keys, "jobs", 1)))
    return {file["path"] for files in session.scalars(rows) for file in files}


def _dataset_keys(session: Session, keys: Sequence[str]) -> set[str]:
    contents = [key for key in keys if key.startswith(("contents/", "datasets/"))]  # the latter before it was shared
    parts = session.scalars(select(DatasetRow.parts).where(DatasetRow.id.in_(_key_parts(keys, "datasets", 1))))
    referenced: set[Any] = {part["path"] for row in parts for part in row}
    for path in (ContentRow.path, DatasetRow.path):
        referenced.update(session.scalars(select(path).where(path.in_(contents))))
    return referenced


def _running_attempt_prefixes(session: Session, keys: Sequence[str]) -> tuple[str, ...]:
    ids = JobRow.id.in_(_key_parts(keys, "jobs", 1))
    rows = session.execute(select(JobRow.id, JobRow.fence).where(ids, JobRow.status == Status.RUNNING))
    return tuple(attempt_prefix(row.id, row.fence) for row in rows)


def _is_export_of(key: str, checkpoint_ids: set[str]) -> bool:
    folder, *rest = key.split("/")
    return folder == "exports" and rest[1] in checkpoint_ids


def _key_parts(keys: Iterable[str], folder: str, position: int) -> set[str]:
    """Return the ids at a position of the keys in a folder."""
    return {parts[position] for key in keys if (parts := key.split("/"))[0] == folder and len(parts) > position}
