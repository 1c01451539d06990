"""The kernel's uptime, which no change of the wall clock moves, and SQLite's clock that is made of it."""

import sqlite3
import time
from pathlib import Path

CLOCK_FUNCTION = "service_time"  # of SQL, on every connection to SQLite
_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return the name of this run of the machine's kernel; "" where the system has none."""
    try:
        return _BOOT_ID_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return ""


BOOT_ID = boot_id()


def uptime() -> float:
    """Return the seconds since the machine's kernel started, suspended ones too; all its processes read the same."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def service_time(offset: float | None) -> float:
    """Return Unix seconds: the uptime and an offset, or this process's wall clock where there is none."""
    return time.time() if offset is None else uptime() + offset


def register_functions(connection: sqlite3.Connection) -> None:
    """Give a connection to SQLite the clock that `app.db.tables.now` reads."""
    connection.create_function(CLOCK_FUNCTION, 1, service_time)
