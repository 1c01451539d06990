"""All SQL on jobs. Every function takes an open session and never commits.

Every change of status is one guarded update plus one event row; see `app.jobs.states` for the table it obeys.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select, update
from sqlalchemy import insert as insert_into
from sqlalchemy.orm import Session

from app import events
from app.db.tables import JobRow, now, table_of
from app.edits import outcomes
from app.errors import InvalidState, NotFound, StaleFence
from app.events import EventKind
from app.ids import new_id
from app.jobs import queue
from app.jobs.states import TERMINAL_STATUSES, TRANSITIONS, Status, Verb

_JOBS = table_of(JobRow)
_INSERT = insert_into(_JOBS).returning(*_JOBS.c)
_COUNT = select(func.count()).select_from(_JOBS).where(_JOBS.c.status == bindparam("status"))
_REFRESH = {"populate_existing": True}  # a row that was loaded before it was locked may have changed since


def insert(session: Session, **values: object) -> Row[Any]:
    """Insert a queued job and log that it was accepted; return its row, with every column."""
    job = {"id": new_id("job"), "status": Status.QUEUED, "progress": {}, "last_seq": 1, **values}
    row = session.execute(_INSERT, job).one()
    events.append_first(session, row.id, EventKind.CREATED, {"status": Status.QUEUED})
    return row


def find(session: Session, owner: str, job_id: str) -> JobRow:
    """Return the owner's job; raises `NotFound` for any other."""
    mine = select(JobRow).where(JobRow.id == job_id, JobRow.owner == owner, JobRow.deleted_at.is_(None))
    row = session.scalar(mine)
    if row is None:
        raise NotFound(f"there is no job {job_id}")
    return row


def find_for_update(session: Session, owner: str, job_id: str, deleted_too: bool = False) -> JobRow:
    """Return the owner's job as it is now, and as it stays until the transaction ends; raises `NotFound`."""
    query = select(JobRow).where(JobRow.id == job_id, JobRow.owner == owner)
    row = session.scalar(query.with_for_update(), execution_options=_REFRESH)
    if row is None or (row.deleted_at is not None and not deleted_too):
        raise NotFound(f"there is no job {job_id}")
    return row


def count_jobs(session: Session, status: Status) -> int:
    """Return how many jobs have the status."""
    return session.execute(_COUNT, {"status": status}).scalar_one()


def count_by_status(session: Session) -> dict[str, int]:
    """Return how many jobs there are by status."""
    counts = dict.fromkeys(map(str, Status), 0)
    every = select(JobRow.status, func.count()).group_by(JobRow.status)  # an index has it; that of the deleted is short
    for sign, query in ((1, every), (-1, every.where(JobRow.deleted_at.is_not(None)))):
        for status, count in session.execute(query):
            counts[status] += sign * count
    return counts


def queue_backlog(session: Session) -> dict[str, tuple[int, float]]:
    """Return by queue how many jobs may be claimed now, and for how many seconds the oldest of them has waited."""
    rows = session.execute(
        select(JobRow.queue, func.count(), now() - func.min(JobRow.queued_at))
        .where(JobRow.status == Status.QUEUED, queue.is_due())
        .group_by(JobRow.queue)
    )
    return {row[0]: (row[1], max(0.0, row[2])) for row in rows}


@dataclass(frozen=True, slots=True)
class RunningStats:
    """Figures of all running jobs."""

    steps_per_second: float
    min_lease_remaining: float | None  # seconds until the first of their leases runs out, negative after it


def running_stats(session: Session) -> RunningStats:
    """Return the throughput and the leases of the running jobs."""
    rows = session.execute(
        select(JobRow.progress, JobRow.lease_until - now()).where(JobRow.status == Status.RUNNING)
    ).all()
    rates = (row[0].get("rate") for row in rows)
    remaining = [row[1] for row in rows if row[1] is not None]
    return RunningStats(sum(rate for rate in rates if isinstance(rate, int | float)), min(remaining, default=None))


def claim(
    session: Session,
    queues: Sequence[str],
    worker: str,
    lease_seconds: float,
    running_limit: int = 0,
    devices: Sequence[str] | None = None,
) -> JobRow | None:
    """Take the best queued job, see `app.jobs.queue`, under a new fence; or return `None`."""
    values: dict[str, Any] = {
        "fence": JobRow.fence + 1,
        "worker": worker,
        "lease_until": now() + lease_seconds,
        "started_at": func.coalesce(JobRow.started_at, now()),
        "phase": "claiming",
    }
    while (job_id := queue.next_job(session, queues, running_limit, devices)) is not None:
        with suppress(InvalidState):  # cancelled or paused at this very moment
            return transition(session, job_id, Verb.CLAIM, data={"worker": worker}, **values)
    return None


def transition(
    session: Session,
    job_id: str,
    verb: Verb,
    *,
    held: int | None = None,
    data: Mapping[str, object] | None = None,
    **values: object,
) -> JobRow:
    """Carry out one transition: a guarded update and an event row. What edits wait for is settled, see `app.edits`.

    `held` is the fence of the attempt that acts; a stale one raises `StaleFence`. A status that the verb does not
    allow raises `InvalidState`.
    """
    sources, target = TRANSITIONS[verb]
    before = session.scalar(select(JobRow).where(JobRow.id == job_id).with_for_update(), execution_options=_REFRESH)
    if before is None:
        raise NotFound(f"there is no job {job_id}")
    if held is not None and before.fence != held:
        raise _stale_fence(job_id, held)
    if before.status not in sources:
        raise InvalidState(f"the job is {before.status} and cannot {verb}")
    source = before.status
    statement = (
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.status.in_(sources), JobRow.fence == before.fence)
        .values(status=target, **values)
        .execution_options(synchronize_session=False)
    )
    changed = session.execute(statement)
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise _stale_fence(job_id, before.fence)
    session.refresh(before)
    if source == Status.RUNNING or target in TERMINAL_STATUSES:
        outcomes.end_attempt(session, before, ended=target in TERMINAL_STATUSES)
    log = {"verb": verb, "from": source, "to": target, **(data or {})}
    events.append(session, job_id, EventKind.STATUS, log, before.fence)
    session.refresh(before)
    return before


def requeued_values() -> dict[str, Any]:
    """Return the columns of a job that waits for an attempt."""
    return {"worker": None, "lease_until": None, "phase": "", "queued_at": now()}


def lock_for_attempt(session: Session, job_id: str, fence: int) -> JobRow:
    """Lock the job's row for a write by the attempt that owns it; raises `StaleFence` for any other attempt."""
    row = session.scalar(select(JobRow).where(JobRow.id == job_id).with_for_update(), execution_options=_REFRESH)
    if row is None or row.fence != fence or row.status != Status.RUNNING:
        raise _stale_fence(job_id, fence)
    return row


@dataclass(frozen=True, slots=True)
class AttemptRequests:
    """What users request of a running attempt: a verb, and how often they have changed the edits that wait."""

    verb: str | None
    edit_changes: int


def renew_lease(session: Session, job_id: str, fence: int, lease_seconds: float) -> AttemptRequests:
    """Extend the lease; return what the user requests. Raises `StaleFence`."""
    statement = (
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.fence == fence, JobRow.status == Status.RUNNING)
        .values(lease_until=now() + lease_seconds)
        .returning(JobRow.wish, JobRow.edit_changes)
        .execution_options(synchronize_session=False)
    )
    row = session.execute(statement).first()
    if row is None:
        raise _stale_fence(job_id, fence)
    return AttemptRequests(*row)


def find_requests(session: Session, job_id: str, fence: int) -> AttemptRequests:
    """Return what the user requests of an attempt. Raises `StaleFence`."""
    row = session.execute(
        select(JobRow.wish, JobRow.edit_changes).where(
            JobRow.id == job_id, JobRow.fence == fence, JobRow.status == Status.RUNNING
        )
    ).first()
    if row is None:
        raise _stale_fence(job_id, fence)
    return AttemptRequests(*row)


def update_visible(session: Session, job_id: str, **values: object) -> None:
    """Update a job's visible fields, such as phase and progress, and its version."""
    session.execute(
        update(JobRow)
        .where(JobRow.id == job_id)
        .values(version=JobRow.version + 1, updated_at=now(), **values)
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of a running job. That it differs from an earlier one shows that its attempt is alive."""

    job_id: str
    fence: int
    until: float | None


def running_leases(session: Session) -> list[Lease]:
    """Return the lease of every running job."""
    query = select(JobRow.id, JobRow.fence, JobRow.lease_until).where(JobRow.status == Status.RUNNING)
    return [Lease(*row) for row in session.execute(query)]


def delete_job(session: Session, job_id: str) -> None:
    """Delete the job and, by cascade, everything recorded about it."""
    session.execute(delete(JobRow).where(JobRow.id == job_id).execution_options(synchronize_session=False))


def _stale_fence(job_id: str, fence: int) -> StaleFence:
    return StaleFence(f"fence {fence} of {job_id} is stale: another attempt owns the job, or none")
