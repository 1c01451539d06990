"""The clock of the database: on SQLite all processes of a machine agree, whatever their own wall clocks say."""

import time
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from app.db import clock, uptime
from app.db.clock import database_time, set_clock, start_clock
from app.db.session import Database
from app.db.tables import ClockRow

HOUR = 3600.0
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
real_time = time.time


def set_wall_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(time, "time", lambda: real_time() + seconds)


def error(database: Database) -> float:
    return database.read(database_time) - real_time()


@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_a_process_whose_wall_clock_is_wrong_reads_the_same_time(
    database: Database, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_clock(database)
    set_wall_clock(monkeypatch, seconds)
    start_clock(database)  # as a worker does that starts now
    assert abs(error(database)) < 5


@SQLITE
@pytest.mark.parametrize("seconds", [-HOUR, -5.0, 5.0, HOUR])
def test_who_sets_the_clock_follows_the_wall_clock(
    database: Database, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_clock(database)
    assert set_clock(database) == 0.0
    set_wall_clock(monkeypatch, seconds)
    assert set_clock(database) == pytest.approx(seconds, abs=1)
    assert error(database) == pytest.approx(seconds, abs=2)
    assert set_clock(database) == 0.0


@SQLITE
def test_without_a_row_a_process_has_its_own_wall_clock(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert abs(error(database)) < 5
    set_wall_clock(monkeypatch, HOUR)
    assert error(database) == pytest.approx(HOUR, abs=5)


@SQLITE
def test_after_a_restart_of_the_machine_the_clock_starts_anew(database: Database) -> None:
    """Also of a copied database, whose row is of another machine."""
    start_clock(database)
    database.run(lambda session: session.execute(update(ClockRow).values(boot_id="another", offset=12.0)))
    assert abs(error(database)) < 5
    start_clock(database)
    assert abs(error(database)) < 5
    rows = database.run(lambda session: session.execute(delete(ClockRow).returning(ClockRow.boot_id)).all())
    assert [row.boot_id for row in rows] == [uptime.BOOT_ID]


@SQLITE
def test_a_process_that_never_opened_the_database_sees_a_moved_clock_at_once(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_clock(database)
    other = Database(database_url)
    set_wall_clock(monkeypatch, HOUR)
    set_clock(database)
    monkeypatch.undo()
    assert error(other) == pytest.approx(HOUR, abs=5)
    other.close()


@SQLITE
def test_the_thread_of_the_api_sets_the_clock_by_itself(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    start_clock(database)
    set_wall_clock(monkeypatch, HOUR)
    monkeypatch.setattr(clock, "SET_INTERVAL_SECONDS", 0.01)
    setter = clock.clock_setter(database)
    setter.start()
    deadline = time.monotonic() + 10
    while error(database) < HOUR - 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert setter.stop()
    assert error(database) == pytest.approx(HOUR, abs=5)


def test_a_system_without_a_name_for_its_start_has_no_shared_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uptime, "_BOOT_ID_FILE", tmp_path / "missing")
    assert uptime.boot_id() == ""
    assert uptime.service_time(None) == pytest.approx(time.time(), abs=5)
