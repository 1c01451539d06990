"""The workers as they report themselves, for estimates, metrics and alerts. Who owns a job, leases alone decide."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.orm import Session

from app.db.dialect import insert
from app.db.tables import WorkerRow, now, table_of

STALE_AFTER_SECONDS = 35.0  # without a heartbeat for so long a worker counts as dead; docs/alerts.yml says it too
RETENTION_SECONDS = 3600.0  # so that the counts of a worker can be read after its end

Liveness = Literal["listening", "deaf", "silent", "stopped"]
_TABLE = table_of(WorkerRow)
_WORKERS = select(_TABLE, func.abs(now() - _TABLE.c.seen_at).label("seconds")).order_by(_TABLE.c.name)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker reports with a heartbeat."""

    version: str
    free: int  # slots
    deaf_seconds: float  # since when it has received none of the wake-ups that it sent to itself
    figures: Mapping[str, Any]  # counts since its start, see workers.host.heartbeat


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker that lives. Those of older versions do not report their devices."""

    name: str
    queues: tuple[str, ...]
    slots: int
    devices: tuple[str, ...] | None

    def has_one_of(self, devices: Sequence[str]) -> bool:
        """Return whether the worker has one of these devices, or may have one."""
        return self.devices is None or not set(self.devices).isdisjoint(devices)


def liveness(row: Row[Any], seconds: float, max_deaf_seconds: float = float("inf")) -> Liveness:
    """Return whether a worker lives, `seconds` after its last heartbeat. No other code decides that.

    It is "stopped" if it said so, "silent" without a heartbeat, "deaf" if it has received no wake-up for longer than
    `max_deaf_seconds`, else "listening".
    """
    if row.stopped_at is not None:
        return "stopped"
    if seconds >= STALE_AFTER_SECONDS:
        return "silent"
    return "deaf" if (row.deaf_seconds or 0.0) > max_deaf_seconds else "listening"


def record_heartbeat(
    session: Session, name: str, queues: Sequence[str], slots: int, state: WorkerState | None = None
) -> None:
    """Record that a worker lives; remove those without a heartbeat for an hour."""
    values: dict[str, Any] = {"queues": list(queues), "slots": slots, "seen_at": now(), "stopped_at": None}
    values |= asdict(state) if state is not None else {}
    row = insert(session, WorkerRow).values(name=name, started_at=now(), **values)
    session.execute(row.on_conflict_do_update(index_elements=[WorkerRow.name], set_=values))
    session.execute(delete(WorkerRow).where(func.abs(now() - WorkerRow.seen_at) > RETENTION_SECONDS))


def mark_stopped(session: Session, name: str) -> None:
    """Record that a worker has stopped in order, and takes no more jobs."""
    stopped = update(WorkerRow).where(WorkerRow.name == name).values(stopped_at=now(), seen_at=now())
    session.execute(stopped.execution_options(synchronize_session=False))


def list_workers(session: Session) -> list[tuple[Row[Any], float]]:
    """Return the workers of the last hour by name, each with the seconds since its last heartbeat.

    A heartbeat from the future is one of before the clock was set back; a worker that lives sends another one soon.
    """
    return [(row, row.seconds) for row in session.execute(_WORKERS)]


def live_workers(session: Session) -> list[LiveWorker]:
    """Return the workers that live, by name."""
    rows = [row for row, seconds in list_workers(session) if liveness(row, seconds) == "listening"]
    return [LiveWorker(row.name, tuple(row.queues), row.slots, worker_devices(row)) for row in rows]


def live_worker_slots(session: Session, queue: str | None = None) -> dict[str, int]:
    """Return the slots of every worker that lives, and serves `queue` if that is given."""
    return {each.name: each.slots for each in live_workers(session) if queue is None or queue in each.queues}


def worker_devices(row: Row[Any]) -> tuple[str, ...] | None:
    """Return the kinds of devices that a worker's attempts can use; `None` if it does not report them."""
    devices = (row.figures or {}).get("devices")
    return tuple(devices) if devices else None


def stale_workers(session: Session) -> list[str]:
    """Return the names of the workers that are silent, and have not stopped in order."""
    return [row.name for row, seconds in list_workers(session) if liveness(row, seconds) == "silent"]
