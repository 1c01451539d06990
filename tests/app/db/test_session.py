"""Units of work: who waits for whom, what is repeated, and the errors of an unavailable database."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from app.access import keys
from app.db.session import Database
from app.db.tables import KeyRow, now
from app.errors import DatabaseUnavailable, ServiceOverloaded

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def names(session: Session) -> list[str]:
    return sorted(session.scalars(select(KeyRow.name)))


def add(session: Session, name: str) -> None:
    keys.create(session, "anna", name, ["read"])


def test_a_unit_is_kept_whole_or_not_at_all(database: Database) -> None:
    database.run(add, "one")

    def fails(session: Session) -> None:
        add(session, "two")
        raise KeyError("three")

    with pytest.raises(KeyError):
        database.run(fails)
    assert database.read(names) == ["one"]


def test_objects_outlive_their_session(database: Database) -> None:
    row, _ = database.run(keys.create, "anna", "one", ["read"])
    assert (row.name, row.scopes) == ("one", ["read"])


def test_the_clock_is_the_database_s_and_runs_within_a_transaction(database: Database) -> None:
    def twice(session: Session) -> tuple[float, float]:
        first = session.scalar(select(now()))
        time.sleep(0.05)
        second = session.scalar(select(now()))
        assert first is not None
        assert second is not None
        return first, second

    first, second = database.run(twice)
    assert first == pytest.approx(time.time(), abs=5)
    assert 0.04 < second - first < 5


def test_json_has_no_nan(database: Database) -> None:
    def unit(session: Session) -> None:
        row, _ = keys.create(session, "anna", "one", ["read"])
        session.execute(update(KeyRow).where(KeyRow.id == row.id).values(scopes=[float("nan"), float("inf"), 1.5, "ü"]))

    database.run(unit)
    assert database.read(lambda session: session.scalars(select(KeyRow.scopes)).one()) == [None, None, 1.5, "ü"]


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    database.run(add, "one")
    with database.begin() as session:
        add(session, "two")
        began = time.monotonic()
        assert database.read(names) == ["one"]
        assert time.monotonic() - began < 1
    assert database.read(names) == ["one", "two"]


@SQLITE
def test_a_writer_takes_the_lock_before_it_reads(database: Database) -> None:
    """Otherwise a unit that reads and then writes fails at once when another has written in between."""
    inside, done = threading.Event(), []

    def reads_then_writes(session: Session) -> None:
        found = names(session)
        inside.set()
        time.sleep(0.2)
        add(session, f"after {len(found)}")

    first = threading.Thread(target=database.run, args=(reads_then_writes,))
    first.start()
    inside.wait()
    second = threading.Thread(target=lambda: done.append(database.run(reads_then_writes)))
    second.start()
    first.join()
    second.join()
    assert database.read(names) == ["after 0", "after 1"]


@SQLITE
def test_a_reader_keeps_no_writer_waiting(database: Database) -> None:
    with database.begin(read_only=True) as session:
        assert names(session) == []
        database.run(add, "one")
        assert names(session) == []  # its snapshot
    assert database.read(names) == ["one"]


@SQLITE
def test_a_lock_that_is_held_too_long_is_an_absence(database_url: str, database: Database) -> None:
    impatient = Database(database_url, busy_seconds=0.1)
    with database.begin() as session:
        session.connection()
        with pytest.raises(DatabaseUnavailable):
            impatient.run(add, "one")
    impatient.run(add, "two")
    impatient.close()


@POSTGRESQL
def test_a_row_that_is_locked_too_long_is_no_absence(database_url: str, database: Database) -> None:
    database.run(add, "one")
    change = update(KeyRow).values(name="two")
    impatient = Database(database_url, lock_seconds=0.1)
    with database.begin() as session:
        session.execute(change)
        with pytest.raises(ServiceOverloaded):
            impatient.run(lambda other: other.execute(change))
    impatient.close()


@POSTGRESQL
def test_a_process_that_stops_within_a_transaction_keeps_no_lock(database: Database) -> None:
    database.run(add, "one")
    change = update(KeyRow).values(name="two")

    def stopped(session: Session) -> None:
        assert session.scalar(text("SHOW idle_in_transaction_session_timeout")) == "10s"
        session.execute(text("SET idle_in_transaction_session_timeout = '100ms'"))
        session.execute(change)
        database.run(lambda other: other.execute(change))  # waits until the lock is free

    with pytest.raises(DatabaseUnavailable):
        database.run(stopped)
    assert database.read(names) == ["two"]


@SQLITE
def test_foreign_keys_hold_and_the_log_is_ahead(database: Database) -> None:
    with database.engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("foreign_keys", "journal_mode")
        }
    assert pragmas == {"foreign_keys": 1, "journal_mode": "wal"}


@POSTGRESQL
def test_a_serialisation_failure_is_repeated(database: Database) -> None:
    """Two units read the same and write what depends on it; one of them is repeated."""
    tries, meet = [], threading.Barrier(2, timeout=5)

    def unit(session: Session, number: int) -> None:
        session.connection(execution_options={"isolation_level": "SERIALIZABLE"})
        found = len(names(session))
        tries.append(number)
        if len(tries) <= 2:
            meet.wait()
        add(session, f"saw {found}")

    threads = [threading.Thread(target=database.run, args=(unit, number)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read(names) == ["saw 0", "saw 1"]
    assert len(tries) == 3


@POSTGRESQL
def test_a_deadlock_is_repeated(database: Database) -> None:
    ids = [database.run(keys.create, "anna", name, ["read"])[0].id for name in ("a", "b")]
    meet, tries = threading.Barrier(2, timeout=5), []

    def unit(session: Session, order: list[str]) -> None:
        tries.append(order)
        for position, key_id in enumerate(order):
            session.execute(update(KeyRow).where(KeyRow.id == key_id).values(name=KeyRow.name + "!"))
            if position == 0 and len(tries) <= 2:
                meet.wait()

    threads = [threading.Thread(target=database.run, args=(unit, order)) for order in (ids, ids[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read(names) == ["a!!", "b!!"]
    assert len(tries) == 3


class Conflict(Exception):
    sqlstate = "40001"


def test_repeating_has_an_end(database: Database) -> None:
    tries = []

    def never(session: Session) -> None:
        tries.append(1)
        raise OperationalError("", {}, Conflict())

    with pytest.raises(ServiceOverloaded):
        database.run(never)
    assert len(tries) == 5


@POSTGRESQL
def test_a_server_that_takes_no_writes_is_away(database: Database) -> None:
    def demoted(session: Session) -> None:
        session.execute(text("SET TRANSACTION READ ONLY"))
        session.execute(update(KeyRow).values(name="b"))

    with pytest.raises(DatabaseUnavailable):
        database.run(demoted)


@pytest.mark.parametrize("url", ["postgresql+psycopg://nobody@127.0.0.1:1/none", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_cannot_be_reached(url: str) -> None:
    nowhere = Database(url)
    began = time.monotonic()
    for call in (nowhere.run, nowhere.read):
        with pytest.raises(DatabaseUnavailable):
            call(names)
    assert time.monotonic() - began < 2
    nowhere.close()


def test_a_database_that_goes_away_and_comes_back(postgres: Any) -> None:
    database = Database(postgres.create("test_goes"))
    database.run(add, "one")
    postgres.drop("test_goes")
    with pytest.raises(DatabaseUnavailable):
        database.read(names)
    postgres.create("test_goes")
    assert database.read(names) == []
    database.close()
    postgres.drop("test_goes")


@POSTGRESQL
def test_a_connection_that_died_in_the_pool_is_replaced(database: Database, postgres: Any) -> None:
    database.run(add, "one")
    postgres.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database.url.database}'"
    )
    assert database.read(names) == ["one"]


def test_our_own_mistakes_are_no_absence(database: Database) -> None:
    with pytest.raises((ProgrammingError, DatabaseUnavailable)) as caught:
        database.read(lambda session: session.execute(text("SELECT nothing FROM nowhere")))
    if not database.is_sqlite:  # SQLite tells every mistake as an OperationalError
        assert isinstance(caught.value, ProgrammingError)


def test_a_new_file_needs_its_directory(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    assert database.read(lambda session: session.scalar(text("SELECT 1"))) == 1
    database.close()


def test_a_connection_in_use_is_closed_when_it_is_returned(database: Database) -> None:
    closed: list[object] = []
    event.listen(database.engine, "close", lambda connection, record: closed.append(connection))
    with database.engine.connect() as connection:
        used = connection.connection.dbapi_connection
        database.close()
        assert used not in closed
    assert used in closed
