"""The queue: the order of claims, a job's position, and an estimate of when it starts.

The best job is: of the highest priority, then of the key with the fewest running jobs, then of the owner with the
fewest, then the one that has waited longest. Jobs without a key (authentication is off)
are those of one more key. Jobs of a key that runs as many as it may are passed over.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from app import heartbeat
from app.db.clock import database_time
from app.db.dialect import advisory_lock
from app.db.tables import JobRow, KeyRow, now
from app.jobs.placement import runs_on
from app.jobs.states import Status

RUNNING_JOBS_LIMIT = "running_jobs"  # the name of the limit, in the settings and in a key's limits
MAX_BACKOFF_SECONDS = 60.0  # of the pause after a loss
_NO_LIMIT = 2**31
_RECENT_JOBS = 20  # ended jobs from which a typical duration is taken
_CLAIM_LOCK_ID = 0x67726166747732  # any number of our own


class Hold(StrEnum):
    """Why a queued job cannot be claimed yet."""

    NOT_BEFORE = "not_before"
    """Its time has not come: the spec's `not_before`, or the pause after a loss."""
    RUNNING_LIMIT = "running_limit"
    """Its key runs as many jobs as it may."""
    NO_WORKER = "no_worker"
    """No worker that lives serves its queue."""
    NO_DEVICE = "no_device"
    """No worker that lives and serves its queue has the device that it needs."""


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """The position of a queued job; `None` for what is unknown."""

    position: int | None = None  # 1: next
    starts_at: float | None = None  # Unix seconds, estimated
    held_by: Hold | None = None


def is_due() -> ColumnElement[bool]:
    """Whether a waiting job may be claimed as far as its `not_before` says.

    The pause after a loss also ends if the clock is set back behind its beginning: it must not last for as long as the
    clock was moved.
    """
    is_pause = JobRow.not_before <= JobRow.queued_at + MAX_BACKOFF_SECONDS
    return or_(JobRow.not_before <= now(), and_(is_pause, JobRow.queued_at > now()))


def next_job(
    session: Session, queues: Sequence[str], running_limit: int = 0, devices: Sequence[str] | None = None
) -> str | None:
    """Return the job to claim next, if any, of those that run on `devices`; `None` for all of them.

    `running_limit` is for keys without a limit of their own; 0: none. Claims follow each other, so that the running
    jobs that each one counts are those there are.
    """
    advisory_lock(session, _CLAIM_LOCK_ID)
    return session.scalar(_next_job_query(queues, running_limit, devices))


def has_claimable_job(
    session: Session, queues: Sequence[str], running_limit: int = 0, devices: Sequence[str] | None = None
) -> bool:
    """Return whether there is a job to claim, see `next_job`."""
    return session.scalar(_next_job_query(queues, running_limit, devices)) is not None


def _next_job_query(queues: Sequence[str], running_limit: int, devices: Sequence[str] | None) -> Select[str]:
    """Compare the first job of every key and queue, which the index finds, rather than all jobs."""
    places = _waiting_keys(queues)
    load, by_owner, full = _running_jobs(running_limit)
    first = (
        select(JobRow.id)
        .where(JobRow.status == Status.QUEUED, JobRow.queue == places.c.queue, JobRow.key_id == places.c.key_id)
        .where(is_due(), *([runs_on(devices)] if devices is not None else []))
        .order_by(JobRow.priority.desc(), JobRow.queued_at, JobRow.id)
        .limit(1)
        .correlate(places)
        .scalar_subquery()
    )
    firsts = select(first.label("id")).where(places.c.key_id.not_in(full)).cte("firsts")
    return (
        select(JobRow.id)
        .join(firsts, JobRow.id == firsts.c.id)
        .outerjoin(load, load.c.key_id == JobRow.key_id)
        .outerjoin(by_owner, by_owner.c.owner == JobRow.owner)
        .order_by(
            JobRow.priority.desc(),
            func.coalesce(load.c.n, 0),
            func.coalesce(by_owner.c.n, 0),
            JobRow.queued_at,
            JobRow.id,
        )
        .limit(1)
    )


def _waiting_keys(queues: Sequence[str]) -> CTE:
    """Return (queue, key_id) of all waiting jobs, from each pair to the next one without a look at what is between."""

    def smallest(queue: Any, *more: ColumnElement[bool]) -> Any:
        return select(func.min(JobRow.key_id)).where(JobRow.status == Status.QUEUED, JobRow.queue == queue, *more)

    names = union_all(*(select(literal(name).label("queue")) for name in queues)).cte("queues")
    first = smallest(names.c.queue).scalar_subquery()
    waiting = select(names.c.queue, first.label("key_id")).cte("waiting", recursive=True)
    following = smallest(waiting.c.queue, JobRow.key_id > waiting.c.key_id).scalar_subquery()
    return waiting.union_all(select(waiting.c.queue, following).where(waiting.c.key_id.is_not(None)))


def _running_jobs(running_limit: int) -> tuple[CTE, CTE, Select[str]]:
    """Return the running jobs by key and by owner, and the keys that run as many as they may."""
    running = select(JobRow.owner, JobRow.key_id).where(JobRow.status == Status.RUNNING).cte("running")
    by_key = select(running.c.key_id, func.count().label("n")).group_by(running.c.key_id).cte("by_key")
    by_owner = select(running.c.owner, func.count().label("n")).group_by(running.c.owner).cte("by_owner")
    limit = func.coalesce(KeyRow.limits[RUNNING_JOBS_LIMIT].as_integer(), running_limit or _NO_LIMIT)
    full = select(by_key.c.key_id).outerjoin(KeyRow, KeyRow.id == by_key.c.key_id).where(by_key.c.n >= limit)
    return by_key, by_owner, full


def queue_position(session: Session, job: JobRow, running_limit: int = 0) -> QueuePosition:
    """Return a waiting job's place, as if from now on no job ended and none was submitted.

    The estimate lets the jobs before it take the free slots of the workers that live, and then those that running jobs
    leave: after the remaining time that they report, or else the mean duration of the last jobs of the queue. It is
    `None` if neither is known.
    """
    if not session.scalar(select(is_due()).where(JobRow.id == job.id)):
        return QueuePosition(held_by=Hold.NOT_BEFORE)
    by_key, _, full = _running_jobs(running_limit)
    if session.scalar(full.where(by_key.c.key_id == job.key_id)) is not None:
        return QueuePosition(held_by=Hold.RUNNING_LIMIT)
    position = session.scalar(_position(job, running_limit))
    serving = [worker for worker in heartbeat.live_workers(session) if job.queue in worker.queues]
    if not serving:
        return QueuePosition(position, held_by=Hold.NO_WORKER)
    able = [worker for worker in serving if worker.devices is None or _runs_on(session, job, worker.devices)]
    if not able:
        return QueuePosition(position, held_by=Hold.NO_DEVICE)
    workers = {worker.name: worker.slots for worker in able}
    at, rests = _remaining_seconds(session, list(workers))
    wait = estimate_wait(position or 1, sum(workers.values()), rests, _mean_duration(session, job.queue))
    return QueuePosition(position, None if wait is None else at + wait)


def _runs_on(session: Session, job: JobRow, devices: Sequence[str]) -> bool:
    return session.scalar(select(JobRow.id).where(JobRow.id == job.id, runs_on(devices))) is not None


def _position(job: JobRow, running_limit: int) -> Select[int]:
    """Every claim adds to its key's running jobs, so that keys take turns: a job's turn is counted ahead."""
    load, _, full = _running_jobs(running_limit)
    within = func.row_number().over(
        partition_by=JobRow.key_id, order_by=(JobRow.priority.desc(), JobRow.queued_at, JobRow.id)
    )
    waiting = (
        select(JobRow.id, JobRow.key_id, JobRow.priority, JobRow.queued_at, within.label("within"))
        .where(JobRow.status == Status.QUEUED, JobRow.queue == job.queue, is_due())
        .where(JobRow.priority >= job.priority)
        .cte("waiting")
    )
    turn = waiting.c.within + func.coalesce(load.c.n, 0)
    joined = waiting.outerjoin(load, load.c.key_id == waiting.c.key_id)
    mine = select(turn).select_from(joined).where(waiting.c.id == job.id).scalar_subquery()
    earlier = or_(
        waiting.c.queued_at < job.queued_at, and_(waiting.c.queued_at == job.queued_at, waiting.c.id <= job.id)
    )
    before = or_(waiting.c.priority > job.priority, turn < mine, and_(turn == mine, earlier))
    return select(func.count()).select_from(joined).where(before, waiting.c.key_id.not_in(full))


def _remaining_seconds(session: Session, workers: Sequence[str]) -> tuple[float, list[float | None]]:
    """Return the database's time, and the remaining seconds of every job that these workers run, as last reported."""
    columns = (JobRow.progress["eta_seconds"].as_float().label("eta"), (now() - JobRow.updated_at).label("age"))
    rows = session.execute(select(*columns).where(JobRow.status == Status.RUNNING, JobRow.worker.in_(workers))).all()
    return database_time(session), [None if row.eta is None else max(0.0, row.eta - row.age) for row in rows]


def _mean_duration(session: Session, queue: str) -> float | None:
    took = (JobRow.finished_at - JobRow.started_at).label("took")
    ended = (JobRow.queue == queue, JobRow.finished_at.is_not(None), JobRow.started_at.is_not(None))
    recent = select(took).where(*ended).order_by(JobRow.finished_at.desc()).limit(_RECENT_JOBS).subquery()
    return session.scalar(select(func.avg(recent.c.took)))


def estimate_wait(position: int, slots: int, rests: Sequence[float | None], typical: float | None) -> float | None:
    """Return the seconds until the job at a position starts, or `None` if it cannot be estimated.

    `rests` are those of the running jobs, `typical` the duration of one job.
    """
    if typical is None and (None in rests or position > slots):
        return None
    each = math.inf if typical is None else typical
    ends = [0.0] * (slots - len(rests)) + [each if rest is None else rest for rest in rests]
    if not ends:
        return None
    heapq.heapify(ends)
    for _ in range(position - 1):
        heapq.heapreplace(ends, ends[0] + each)
    return ends[0]
