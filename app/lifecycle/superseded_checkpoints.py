"""Removes the checkpoints of a running job that its plan no longer keeps."""

from sqlalchemy.orm import Session

from app import checkpoints
from app.checkpoints import RemovedCheckpoint
from app.db.session import Database
from app.faultpoints import faultpoint
from app.jobs import repository
from app.storage.protocol import ArtifactStore
from app.storage.removal import remove_checkpoint_files


def prune(db: Database, store: ArtifactStore, job_id: str, fence: int) -> None:
    """Remove the rows of superseded checkpoints, then their files. Raises `StaleFence`."""
    removed = db.run(_remove_rows, job_id, fence)
    faultpoint("before_removal")
    for each in removed:
        remove_checkpoint_files(store, job_id, each.id, each.paths)


def _remove_rows(session: Session, job_id: str, fence: int) -> list[RemovedCheckpoint]:
    job = repository.lock_for_attempt(session, job_id, fence)  # another job may be about to start from a checkpoint
    plan = checkpoints.checkpoint_plan(session, job)
    rows = checkpoints.prunable_checkpoints(session, job_id, plan.keep_last, plan.keep_best, plan.monitor, plan.mode)
    return checkpoints.remove(session, rows)
