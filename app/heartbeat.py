"""The workers, as they tell of themselves: for estimates, figures and alarms. Who owns a job, leases alone say."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.db.dialect import insert
from app.db.tables import WorkerRow, now

STALE_AFTER_SECONDS = 35.0  # after the last sign of life a worker is silent, and taken for dead
RETENTION_SECONDS = 3600.0  # so that what it counted can be read after its end


@dataclass(frozen=True, slots=True)
class WorkerState:
    """How a worker does, beyond that it lives."""

    version: str
    free: int  # slots
    deaf_seconds: float  # for which it has not heard wake-ups that it sent to itself
    figures: Mapping[str, Any]  # counts since its start, see workers.host.heartbeat


def record_heartbeat(
    session: Session, name: str, queues: Sequence[str], slots: int, state: WorkerState | None = None
) -> None:
    """Note that a worker lives; forget those that have been silent for long."""
    values: dict[str, Any] = {"queues": list(queues), "slots": slots, "seen_at": now(), "stopped_at": None}
    values |= asdict(state) if state is not None else {}
    row = insert(session, WorkerRow).values(name=name, started_at=now(), **values)
    session.execute(row.on_conflict_do_update(index_elements=[WorkerRow.name], set_=values))
    session.execute(delete(WorkerRow).where(WorkerRow.seen_at < now() - RETENTION_SECONDS))


def mark_stopped(session: Session, name: str) -> None:
    """Note that a worker has stopped in order, and takes no more jobs."""
    gone = update(WorkerRow).where(WorkerRow.name == name).values(stopped_at=now(), seen_at=now())
    session.execute(gone.execution_options(synchronize_session=False))


def live_worker_slots(session: Session, queue: str | None = None) -> dict[str, int]:
    """Return the slots of every worker that lives, and serves the queue if one is named."""
    living = WorkerRow.stopped_at.is_(None), WorkerRow.seen_at > now() - STALE_AFTER_SECONDS
    rows = session.scalars(select(WorkerRow).where(*living))
    return {row.name: row.slots for row in rows if queue is None or queue in row.queues}


def stale_workers(session: Session) -> list[str]:
    """Return workers that have told nothing for a while and have not stopped in order."""
    gone = WorkerRow.stopped_at.is_(None), WorkerRow.seen_at <= now() - STALE_AFTER_SECONDS
    return list(session.scalars(select(WorkerRow.name).where(*gone).order_by(WorkerRow.name)))


def list_workers(session: Session) -> list[tuple[WorkerRow, float]]:
    """Return the workers of the last hour by name, each with the seconds since its last sign of life."""
    since = func.coalesce(now() - WorkerRow.seen_at, 0.0)
    found = session.execute(select(WorkerRow, since).order_by(WorkerRow.name))
    return [(row, max(0.0, seconds)) for row, seconds in found]
