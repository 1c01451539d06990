"""Deleting jobs: hidden first, then removed with everything recorded about them."""

from sqlalchemy.orm import Session

from app import checkpoints
from app.db.tables import JobRow, now
from app.errors import InvalidState
from app.jobs import repository
from app.jobs.states import TERMINAL_STATUSES


def delete(session: Session, owner: str, job_id: str) -> None:
    """Hide an ended job, which can be restored for a while. Raises `NotFound`, `InvalidState`."""
    _check_deletable(session, repository.find_for_update(session, owner, job_id))
    repository.update_visible(session, job_id, deleted_at=now())


def restore(session: Session, owner: str, job_id: str) -> None:
    """Restore a deleted job; one that is not deleted stays as it is. Raises `NotFound`."""
    if repository.find_for_update(session, owner, job_id, deleted_too=True).deleted_at is not None:
        repository.update_visible(session, job_id, deleted_at=None)


def purge(session: Session, owner: str, job_id: str) -> None:
    """Remove an ended job, deleted or not, with everything recorded about it; its files go after the commit.

    Raises `NotFound`, `InvalidState`.
    """
    _check_deletable(session, repository.find_for_update(session, owner, job_id, deleted_too=True))
    repository.delete_job(session, job_id)


def _check_deletable(session: Session, row: JobRow) -> None:
    if row.status not in TERMINAL_STATUSES:
        raise InvalidState(f"the job is {row.status}; cancel it first")
    if checkpoints.referenced_ids(session, row.id):
        raise InvalidState("another job starts from a checkpoint of this one", hint="wait for its end, or cancel it")
