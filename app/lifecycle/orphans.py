"""Removes files that no row lists: superfluous checkpoints, what dead attempts left behind, and orphans of crashes."""

from collections.abc import Iterator
from itertools import islice

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import checkpoints
from app.db.session import Database
from app.db.tables import CheckpointRow
from app.errors import NotFound
from app.faultpoints import faultpoint
from app.jobs import repository
from app.lifecycle import unreferenced
from app.spec.job import parse_job
from app.storage.protocol import ArtifactStore
from app.storage.removal import remove_checkpoint_files, remove_files

MIN_AGE_SECONDS = 3600.0  # what was written later may be named by a row that is on its way
BATCH_SIZE = 500  # keys looked up at a time

_log = structlog.get_logger(__name__)


def prune_checkpoints(db: Database, store: ArtifactStore, job_id: str, fence: int) -> None:
    """Drop the checkpoints that the plan no longer keeps, then their files. Raises `StaleFence`."""
    rows = db.run(_unlist_prunable, job_id, fence)
    faultpoint("before_removal")
    for row in rows:
        remove_checkpoint_files(store, job_id, row.id, [file["path"] for file in row.files])


def _unlist_prunable(session: Session, job_id: str, fence: int) -> list[CheckpointRow]:
    job = repository.lock_for_attempt(
        session, job_id, fence
    )  # locked: another job may be about to start from a checkpoint
    plan = parse_job(job.spec).training.checkpoint
    rows = checkpoints.prunable_checkpoints(session, job_id, plan.keep_last, plan.keep_best, plan.monitor, plan.mode)
    return checkpoints.remove(session, rows)


def remove_job_orphans(db: Database, store: ArtifactStore, job_id: str, fence: int) -> None:
    """Remove what attempts up to `fence` left behind without a row, for example half a checkpoint after a crash."""
    listed = db.run(_listed_keys, job_id)
    found = store.keys(f"jobs/{job_id}/")
    remove_files(store, [key for key in found if key not in listed and _fence(key) <= fence])


def _listed_keys(session: Session, job_id: str) -> set[str]:
    rows = session.scalars(select(CheckpointRow.files).where(CheckpointRow.job_id == job_id))
    return {file["path"] for files in rows for file in files}


def _fence(key: str) -> int:
    """Keys are ``jobs/<job>/<fence>/…``."""
    return int(key.split("/")[2])


def remove_orphans(db: Database, store: ArtifactStore, seconds: float = MIN_AGE_SECONDS) -> None:
    """Remove every file older than `seconds` that no row names, whatever crash left it behind.

    A store that another database has marked as its own is left alone.
    """
    if not _is_own_store(db, store):
        return
    store.remove_temporary_files()
    for keys in _batches(key for place in unreferenced.KEY_PREFIXES for key in store.keys(place, seconds)):
        orphans = db.read(unreferenced.find_unreferenced, keys)
        if orphans:
            _log.info("orphans_removed", count=len(orphans), first=orphans[0])
        remove_files(store, orphans)


def _is_own_store(db: Database, store: ArtifactStore) -> bool:
    """Say whether the store is this database's; one without a mark gets it, and is looked through the next time."""
    mine = db.read(unreferenced.deployment_id)
    try:
        marked = b"".join(store.read(unreferenced.DEPLOYMENT_KEY)).decode()
    except NotFound:
        store.put_bytes(unreferenced.DEPLOYMENT_KEY, mine.encode())
        return False
    if marked != mine:
        _log.warning("artifacts_of_another_database", marked=marked, database=mine)
    return marked == mine


def _batches(keys: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(keys, BATCH_SIZE)):
        yield batch
