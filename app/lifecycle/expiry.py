"""Removes what is older than the settings allow.

Every batch is a transaction of its own; files are removed after its commit. Rows are locked while they are looked at,
and what another worker has locked is passed over. What a job that has not ended starts from is never removed.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import ColumnElement, Select, delete, exists, select, update
from sqlalchemy.orm import Session

from app import checkpoints
from app.access import audit, idempotency, sessions
from app.checkpoints import RemovedCheckpoint
from app.datasets import uploads
from app.db.session import Database
from app.db.tables import CheckpointRow, EventRow, JobRow, now
from app.events import EventKind
from app.jobs.states import TERMINAL_STATUSES
from app.settings import Settings
from app.storage.protocol import ArtifactStore
from app.storage.removal import remove_checkpoint_files, remove_files, remove_job_files
from app.webhooks import deliveries

BATCH_SIZE = 20
MAX_BATCHES = 20  # of one kind in a round: leases must not wait for long
RETAINED_EVENT_KINDS = (EventKind.CREATED, EventKind.STATUS)  # the history of a job's transitions

_log = structlog.get_logger(__name__)


def remove_expired(db: Database, store: ArtifactStore, settings: Settings) -> None:
    """Remove everything that is too old, up to some batches of each kind."""
    for policy in (_answers, _sessions, _audit, _messages, _uploads, _checkpoints, _events, _jobs, _trash):
        for _ in range(MAX_BATCHES):
            removed = policy(db, store, settings)
            if not removed:
                break
            _log.info("removed_by_age", what=policy.__name__.strip("_"), count=removed)


def _answers(db: Database, store: ArtifactStore, settings: Settings) -> int:
    return db.run(idempotency.purge)


def _sessions(db: Database, store: ArtifactStore, settings: Settings) -> int:
    return db.run(sessions.purge)


def _audit(db: Database, store: ArtifactStore, settings: Settings) -> int:
    return db.run(audit.purge, settings.keep_audit_seconds) if settings.keep_audit_seconds else 0


def _messages(db: Database, store: ArtifactStore, settings: Settings) -> int:
    return db.run(deliveries.purge, settings.webhook_log_days)


def _uploads(db: Database, store: ArtifactStore, settings: Settings) -> int:
    if not settings.keep_uploads_seconds:
        return 0
    pieces = db.run(uploads.delete_abandoned, settings.keep_uploads_seconds, BATCH_SIZE)
    remove_files(store, pieces or ())
    return 0 if pieces is None else 1


def _checkpoints(db: Database, store: ArtifactStore, settings: Settings) -> int:
    seconds = settings.keep_checkpoints_seconds
    removed = db.run(_drop_checkpoints, seconds) if seconds else ()
    for each in removed:
        remove_checkpoint_files(store, each.job_id, each.id, each.paths)
    return len(removed)


def _events(db: Database, store: ArtifactStore, settings: Settings) -> int:
    return len(db.run(_drop_events, settings.keep_events_seconds)) if settings.keep_events_seconds else 0


def _jobs(db: Database, store: ArtifactStore, settings: Settings) -> int:
    return len(db.run(_soft_delete_jobs, settings.keep_jobs_seconds)) if settings.keep_jobs_seconds else 0


def _trash(db: Database, store: ArtifactStore, settings: Settings) -> int:
    ids = db.run(_purge_deleted_jobs, settings.trash_seconds)
    for job_id in ids:
        remove_job_files(store, job_id)
    return len(ids)


def _soft_delete_jobs(session: Session, seconds: float) -> Sequence[str]:
    """Move jobs that ended `seconds` ago to the trash, from where they can be restored. Returns their ids."""
    ids = _lock_job_ids(session, _ended_before(seconds), JobRow.deleted_at.is_(None), ~_has_referenced_checkpoint())
    hidden = {"deleted_at": now(), "updated_at": now(), "version": JobRow.version + 1}
    session.execute(
        update(JobRow).where(JobRow.id.in_(ids)).values(hidden).execution_options(synchronize_session=False)
    )
    return ids


def _purge_deleted_jobs(session: Session, seconds: float) -> Sequence[str]:
    """Remove jobs that were deleted `seconds` ago. Returns their ids; their files go after the commit."""
    ids = _lock_job_ids(session, JobRow.deleted_at < now() - seconds, ~_has_referenced_checkpoint())
    session.execute(delete(JobRow).where(JobRow.id.in_(ids)).execution_options(synchronize_session=False))
    return ids


def _drop_checkpoints(session: Session, seconds: float) -> Sequence[RemovedCheckpoint]:
    """Remove the unreferenced checkpoints of jobs that ended `seconds` ago. Returns them; their files go afterwards."""
    referenced = CheckpointRow.id.in_(checkpoints.referenced_ids_query())
    ids = _lock_job_ids(session, _ended_before(seconds), exists().where(CheckpointRow.job_id == JobRow.id, ~referenced))
    rows = session.scalars(select(CheckpointRow).where(CheckpointRow.job_id.in_(ids), ~referenced)).all()
    return checkpoints.remove(session, rows)  # all but those whose files are being read


def _drop_events(session: Session, seconds: float) -> Sequence[str]:
    """Remove the events, except transitions, of jobs that ended `seconds` ago. Returns the jobs' ids."""
    expendable = EventRow.kind.not_in(RETAINED_EVENT_KINDS)
    ids = _lock_job_ids(session, _ended_before(seconds), exists().where(EventRow.job_id == JobRow.id, expendable))
    old = delete(EventRow).where(EventRow.job_id.in_(ids), expendable)
    session.execute(old.execution_options(synchronize_session=False))
    return ids


def _lock_job_ids(session: Session, *conditions: ColumnElement[bool]) -> Sequence[str]:
    query: Select[str] = select(JobRow.id).where(*conditions).limit(BATCH_SIZE)
    return session.scalars(query.with_for_update(skip_locked=True, of=JobRow)).all()


def _ended_before(seconds: float) -> ColumnElement[bool]:
    return JobRow.status.in_(TERMINAL_STATUSES) & (JobRow.finished_at < now() - seconds)


def _has_referenced_checkpoint() -> ColumnElement[bool]:
    return exists().where(CheckpointRow.job_id == JobRow.id, CheckpointRow.id.in_(checkpoints.referenced_ids_query()))
