"""The clock of the database, which all processes of a service share.

PostgreSQL has one. For SQLite a row says what to add to the kernel's uptime, which all processes of a machine read
alike. Either may be set by an operator or an NTP server: no lease and no pause depends on that, see "Clocks" in
docs/reliability.md.
"""

import time

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.dialect import insert
from app.db.session import Database
from app.db.tables import ClockRow, now
from app.db.uptime import BOOT_ID, uptime
from app.errors import Unavailable
from app.periodic import Periodic

MAX_ERROR_SECONDS = 1.0  # between the shared clock and the wall clock of whoever sets it
SET_INTERVAL_SECONDS = 5.0

_log = structlog.get_logger(__name__)


def database_time(session: Session) -> float:
    """Return the database's time in Unix seconds."""
    return session.execute(select(now())).scalar_one()


def start_clock(db: Database) -> None:
    """Start SQLite's clock, unless a process has done so since the machine started. Raises `Unavailable`."""
    if db.is_sqlite and BOOT_ID and not db.read(_has_started):
        db.run(_set_offset)


def set_clock(db: Database) -> float:
    """Set SQLite's clock by this process's wall clock if they differ; return by how many seconds it was moved.

    One program of a service does that, the API: several could disagree, and move it to and fro. Raises `Unavailable`.
    """
    start_clock(db)
    error = time.time() - db.read(database_time)
    if not db.is_sqlite or not BOOT_ID or abs(error) <= MAX_ERROR_SECONDS:
        return 0.0
    db.run(_set_offset)
    _log.warning("clock_set", seconds=round(error, 3))
    return error


def clock_setter(db: Database) -> Periodic:
    """Return a thread that sets SQLite's clock every few seconds; it is not started yet."""
    return Periodic("clock", SET_INTERVAL_SECONDS, lambda: set_clock(db), _log_failure, delay=0.0)


def _log_failure(error: Exception) -> None:
    if not isinstance(error, Unavailable):  # whoever needs the database says so
        _log.error("clock_not_set", exc_info=error)


def _has_started(session: Session) -> bool:
    return session.scalar(select(ClockRow.boot_id).where(ClockRow.boot_id == BOOT_ID)) is not None


def _set_offset(session: Session) -> None:
    session.execute(delete(ClockRow).where(ClockRow.boot_id != BOOT_ID))
    offset = time.time() - uptime()
    row = insert(session, ClockRow).values(boot_id=BOOT_ID, offset=offset)
    session.execute(row.on_conflict_do_update(index_elements=[ClockRow.boot_id], set_={"offset": offset}))
