"""The limits of keys: the settings', or the key's own in their place; and how much is used.

The limit of running jobs is one of claims, not of requests, see `app.jobs.queue`: what is over it waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.datasets.lookup import DatasetStatus
from app.db.tables import CheckpointRow, DatasetRow, JobRow, KeyRow
from app.errors import Forbidden, Problem, QuotaExceeded, TooManyQueuedJobs
from app.jobs.states import Status
from app.settings import Settings

MAX_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class EffectiveLimits:
    """The limits in force for a key; `None` is no limit. The last two are of all that the owner has."""

    requests: str  # such as 1200/minute; empty for none
    priority: int  # the highest that its jobs may have
    running_jobs: int | None
    queued_jobs: int | None
    parameters: int | None  # of one network
    stored_bytes: int | None  # in data sets and checkpoints
    unfinished_uploads: int | None


def effective_limits(settings: Settings, own: Mapping[str, Any] | None, admin: bool) -> EffectiveLimits:
    """Return the limits of a key with limits of its `own`; an `admin` key may give any priority by default."""
    default: dict[str, Any] = {
        "requests": settings.rate_limit,
        "priority": MAX_PRIORITY if admin else settings.limit_priority,
        "running_jobs": settings.limit_running_jobs or None,
        "queued_jobs": settings.limit_queued_jobs or None,
        "parameters": None,
        "stored_bytes": settings.limit_stored_bytes or None,
        "unfinished_uploads": settings.limit_unfinished_uploads or None,
    }
    return EffectiveLimits(**(default | dict(own or {})))


def check_priority(limits: EffectiveLimits, priority: int) -> None:
    """Raise `Forbidden` for a priority that the key may not give."""
    if priority > limits.priority:
        detail = f"the priority {priority} is more than this key may give, which is {limits.priority}"
        raise Forbidden(detail, pointer="/priority", hint="lower it, or ask an admin to raise the key's limit")


def network_problems(limits: EffectiveLimits, parameters: int) -> list[Problem]:
    """Return the problem of a network with more parameters than the key may train."""
    if limits.parameters is None or parameters <= limits.parameters:
        return []
    detail = f"the network has {parameters:,} parameters, with this key at most {limits.parameters:,} are allowed"
    return [Problem("/model", "too_many_parameters", detail, "make it smaller")]


def check_queue(session: Session, key_id: str, limits: EffectiveLimits | None) -> None:
    """Raise `TooManyQueuedJobs` at the key's limit of queued jobs. A lock serialises submissions with the key."""
    if limits is None or limits.queued_jobs is None:
        return
    session.execute(select(KeyRow.id).where(KeyRow.id == key_id).with_for_update())
    used = count_jobs(session, key_id, Status.QUEUED)
    if used >= limits.queued_jobs:
        hint = "wait until some have started, or cancel some"
        raise TooManyQueuedJobs(
            f"{used} jobs of this key are queued, at most {limits.queued_jobs} are allowed", hint=hint
        )


def check_storage(session: Session, owner: str, limits: EffectiveLimits, more: int = 1) -> None:
    """Raise `QuotaExceeded` unless `more` bytes fit into the quota."""
    left = remaining_storage(session, owner, limits)
    if left is not None and more > left:
        used = stored_bytes(session, owner)
        hint = "delete data sets and jobs; deleted jobs count until they are purged"
        raise QuotaExceeded(
            f"{used:,} of {limits.stored_bytes:,} bytes are stored, and {more:,} more are needed", hint=hint
        )


def remaining_storage(session: Session, owner: str, limits: EffectiveLimits) -> int | None:
    """Return how many bytes the owner may still store, `None` for no limit."""
    if limits.stored_bytes is None:
        return None
    return max(0, limits.stored_bytes - stored_bytes(session, owner))


def check_uploads(session: Session, owner: str, limits: EffectiveLimits) -> None:
    """Raise `QuotaExceeded` if the owner has reached the limit of unfinished uploads."""
    if limits.unfinished_uploads is None:
        return
    used = count_unfinished_uploads(session, owner)
    if used >= limits.unfinished_uploads:
        hint = "finish some, or delete their data sets"
        detail = f"{used} uploads have not been finished, at most {limits.unfinished_uploads} may be open"
        raise QuotaExceeded(detail, hint=hint)


def count_jobs(session: Session, key_id: str, status: Status) -> int:
    """Return how many jobs of the key have a status."""
    return session.scalar(select(func.count()).where(JobRow.status == status, JobRow.key_id == key_id)) or 0


def stored_bytes(session: Session, owner: str) -> int:
    """Return the bytes of the owner's data sets, shared content once, and checkpoints, those of deleted jobs too."""
    content = (
        select(func.max(DatasetRow.size).label("size"))
        .where(DatasetRow.owner == owner, DatasetRow.path.is_not(None))
        .group_by(DatasetRow.path)
        .subquery()
    )
    pieces = select(func.sum(DatasetRow.size)).where(DatasetRow.owner == owner, DatasetRow.path.is_(None))
    saved = select(func.sum(CheckpointRow.size)).join(JobRow).where(JobRow.owner == owner)
    return sum(int(session.scalar(part) or 0) for part in (select(func.sum(content.c.size)), pieces, saved))


def count_unfinished_uploads(session: Session, owner: str) -> int:
    """Return how many of the owner's data sets wait for content."""
    waiting = (DatasetRow.owner == owner, DatasetRow.status == DatasetStatus.AWAITING_CONTENT)
    return session.scalar(select(func.count()).where(*waiting)) or 0
