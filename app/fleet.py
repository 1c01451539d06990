"""The workers that live, as they tell: for estimates and figures. Who owns a job is told by leases alone."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.dialect import insert
from app.db.tables import WorkerRow, now

TELL_SECONDS = 10.0  # between two signs of life
ALIVE_SECONDS = 35.0  # after the last one a worker is taken for dead
FORGET_SECONDS = 3600.0


def tell(session: Session, name: str, queues: Sequence[str], slots: int) -> None:
    """Note that a worker lives; forget those that have been silent for long."""
    values = {"queues": list(queues), "slots": slots, "seen_at": now()}
    row = insert(session, WorkerRow).values(name=name, **values)
    session.execute(row.on_conflict_do_update(index_elements=[WorkerRow.name], set_=values))
    session.execute(delete(WorkerRow).where(WorkerRow.seen_at < now() - FORGET_SECONDS))


def leave(session: Session, name: str) -> None:
    """Note that a worker takes no more jobs."""
    session.execute(delete(WorkerRow).where(WorkerRow.name == name))


def alive(session: Session, queue: str | None = None) -> dict[str, int]:
    """Return the slots of every worker that lives, and serves the queue if one is named."""
    rows = session.scalars(select(WorkerRow).where(WorkerRow.seen_at > now() - ALIVE_SECONDS))
    return {row.name: row.slots for row in rows if queue is None or queue in row.queues}
