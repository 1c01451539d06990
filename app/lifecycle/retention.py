"""What is too old to be kept: SQL that takes a small batch at a time.

Rows are locked while they are looked at, and what another sweeper has locked is passed over, so that any number of
sweepers do no harm. What a job that has not ended starts from is never taken.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, delete, exists, select, update
from sqlalchemy.orm import Session

from app import checkpoints
from app.db.tables import CheckpointRow, EventRow, JobRow, now
from app.events import EventKind
from app.jobs.states import TERMINAL_STATUSES

BATCH_SIZE = 20
RETAINED_EVENT_KINDS = (EventKind.CREATED, EventKind.STATUS)  # of which a job's transitions are told


def soft_delete_jobs(session: Session, seconds: float) -> Sequence[str]:
    """Delete jobs that ended so long ago, as a user would: they can be restored for a while. Returns their ids."""
    ids = _lock_job_ids(session, _ended_before(seconds), JobRow.deleted_at.is_(None), ~_has_referenced_checkpoint())
    hidden = {"deleted_at": now(), "updated_at": now(), "version": JobRow.version + 1}
    session.execute(
        update(JobRow).where(JobRow.id.in_(ids)).values(hidden).execution_options(synchronize_session=False)
    )
    return ids


def purge_deleted_jobs(session: Session, seconds: float) -> Sequence[str]:
    """Remove jobs that were deleted so long ago. Returns their ids; their files are to be removed after the commit."""
    ids = _lock_job_ids(session, JobRow.deleted_at < now() - seconds, ~_has_referenced_checkpoint())
    session.execute(delete(JobRow).where(JobRow.id.in_(ids)).execution_options(synchronize_session=False))
    return ids


def drop_checkpoints(session: Session, seconds: float) -> Sequence[CheckpointRow]:
    """Take all checkpoints that are not needed off jobs that ended so long ago; their files are superfluous then."""
    needed = CheckpointRow.id.in_(checkpoints.referenced_ids_query())
    ids = _lock_job_ids(session, _ended_before(seconds), exists().where(CheckpointRow.job_id == JobRow.id, ~needed))
    rows = session.scalars(select(CheckpointRow).where(CheckpointRow.job_id.in_(ids), ~needed)).all()
    return checkpoints.remove(session, rows)  # but for those whose files are being read


def drop_events(session: Session, seconds: float) -> Sequence[str]:
    """Remove the events, but for transitions, of jobs that ended so long ago. Returns the jobs' ids."""
    passing = EventRow.kind.not_in(RETAINED_EVENT_KINDS)
    ids = _lock_job_ids(session, _ended_before(seconds), exists().where(EventRow.job_id == JobRow.id, passing))
    old = delete(EventRow).where(EventRow.job_id.in_(ids), passing)
    session.execute(old.execution_options(synchronize_session=False))
    return ids


def _lock_job_ids(session: Session, *conditions: ColumnElement[bool]) -> Sequence[str]:
    query: Select[str] = select(JobRow.id).where(*conditions).limit(BATCH_SIZE)
    return session.scalars(query.with_for_update(skip_locked=True, of=JobRow)).all()


def _ended_before(seconds: float) -> ColumnElement[bool]:
    return JobRow.status.in_(TERMINAL_STATUSES) & (JobRow.finished_at < now() - seconds)


def _has_referenced_checkpoint() -> ColumnElement[bool]:
    return exists().where(CheckpointRow.job_id == JobRow.id, CheckpointRow.id.in_(checkpoints.referenced_ids_query()))
