"""Who is silent, and what is known of those who tell less, on both databases."""

import re
import time
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app import heartbeat
from app.db.clock import database_time
from app.db.session import Database
from app.db.tables import WorkerRow


def tell(database: Database, name: str, ago: float = 0.0) -> None:
    database.run(heartbeat.record_heartbeat, name, ["default"], 1)

    def age(session: Session) -> None:
        session.execute(update(WorkerRow).where(WorkerRow.name == name).values(seen_at=WorkerRow.seen_at - ago))

    database.run(age)


def test_silence_is_not_an_end_in_order(database: Database) -> None:
    tell(database, "well")
    tell(database, "stopped")
    database.run(heartbeat.mark_stopped, "stopped")
    tell(database, "silent", ago=61)
    assert database.read(heartbeat.stale_workers) == ["silent"]
    tell(database, "silent")
    assert database.read(heartbeat.stale_workers) == []
    assert set(database.read(heartbeat.live_worker_slots)) == {"well", "silent"}


def test_one_that_comes_back_has_not_stopped(database: Database) -> None:
    tell(database, "again")
    database.run(heartbeat.mark_stopped, "again")
    tell(database, "again")
    ((row, seconds),) = database.read(heartbeat.list_workers)
    assert (row.stopped_at, row.figures, row.free) == (None, None, None)
    assert 0 <= seconds < 30


def test_the_database_s_clock(database: Database) -> None:
    assert abs(database.read(database_time) - time.time()) < 5  # both are this machine's


@pytest.mark.parametrize(
    ("seconds", "deaf", "stopped", "expected"),
    [
        (0.0, None, None, "listening"),
        (34.9, 60.0, None, "listening"),
        (34.9, 60.1, None, "deaf"),
        (35.0, 99.0, None, "silent"),
        (99.0, 99.0, 1.0, "stopped"),
    ],
)
def test_one_function_judges(seconds: float, deaf: float | None, stopped: float | None, expected: str) -> None:
    row = WorkerRow(name="w", queues=[], slots=1, deaf_seconds=deaf, stopped_at=stopped)
    assert heartbeat.liveness(row, seconds, max_deaf_seconds=60.0) == expected


def test_the_alert_has_the_same_limit() -> None:
    rules = (Path(__file__).parents[2] / "docs" / "alerts.yml").read_text()
    (limit,) = re.findall(r"graftwerk_worker_seen_seconds\) > (\d+)", rules)
    assert float(limit) == heartbeat.STALE_AFTER_SECONDS


@pytest.mark.parametrize("seconds", [-1800.0, 1800.0])
def test_a_dead_worker_is_silent_wherever_the_clock_was_set(database: Database, seconds: float) -> None:
    """A heartbeat from the future is one of before the clock was set back."""
    database.run(heartbeat.record_heartbeat, "dead", ["default"], 2)
    moved = update(WorkerRow).values(seen_at=WorkerRow.seen_at + seconds)
    database.run(lambda session: session.execute(moved))
    database.run(heartbeat.record_heartbeat, "alive", ["default"], 2)
    assert database.read(heartbeat.stale_workers) == ["dead"]
    assert [each.name for each in database.read(heartbeat.live_workers)] == ["alive"]
