"""Removes what the settings say is too old. Every batch is a transaction of its own, and files go after it."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from app.access import audit, idempotency
from app.datasets import registry
from app.db.session import Database
from app.lifecycle import retention
from app.settings import Settings
from app.storage.protocol import ArtifactStore
from app.storage.removal import remove_checkpoint_files, remove_files, remove_job_files
from app.webhooks import deliveries

MAX_BATCHES = 20  # of one kind in a round: leases must not wait for long

_log = structlog.get_logger(__name__)


def remove_expired(db: Database, store: ArtifactStore, settings: Settings) -> None:
    """Make a round over everything that may be too old."""
    for policy in (_answers, _audit, _messages, _uploads, _checkpoints, _events, _jobs, _trash):
        for _ in range(MAX_BATCHES):
            removed = policy(db, store, settings)
            if not removed:
                break
            _log.info("removed_by_age", what=policy.__name__.strip("_"), count=removed)


def _answers(db: Database, store: ArtifactStore, settings: Settings) -> int:
    return db.run(idempotency.purge)


def _audit(db: Database, store: ArtifactStore, settings: Settings) -> int:
    return db.run(audit.purge, settings.keep_audit_seconds) if settings.keep_audit_seconds else 0


def _messages(db: Database, store: ArtifactStore, settings: Settings) -> int:
    return db.run(deliveries.purge, settings.webhook_log_days)


def _uploads(db: Database, store: ArtifactStore, settings: Settings) -> int:
    if not settings.keep_uploads_seconds:
        return 0
    pieces = db.run(registry.delete_abandoned, settings.keep_uploads_seconds, retention.BATCH_SIZE)
    remove_files(store, pieces or ())
    return 0 if pieces is None else 1


def _checkpoints(db: Database, store: ArtifactStore, settings: Settings) -> int:
    rows = _run_if_enabled(db, retention.drop_checkpoints, settings.keep_checkpoints_seconds)
    for row in rows:
        remove_checkpoint_files(store, row.job_id, row.id, [file["path"] for file in row.files])
    return len(rows)


def _events(db: Database, store: ArtifactStore, settings: Settings) -> int:
    return len(_run_if_enabled(db, retention.drop_events, settings.keep_events_seconds))


def _jobs(db: Database, store: ArtifactStore, settings: Settings) -> int:
    return len(_run_if_enabled(db, retention.soft_delete_jobs, settings.keep_jobs_seconds))


def _trash(db: Database, store: ArtifactStore, settings: Settings) -> int:
    ids = db.run(retention.purge_deleted_jobs, settings.trash_seconds)
    for job_id in ids:
        remove_job_files(store, job_id)
    return len(ids)


def _run_if_enabled(db: Database, drop: Callable[..., Sequence[Any]], seconds: float) -> Sequence[Any]:
    return db.run(drop, seconds) if seconds else ()
