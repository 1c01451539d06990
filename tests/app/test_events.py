"""The log of a job, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app import events
from app.db.session import Database
from app.jobs import repository


@pytest.fixture
def job_id(database: Database) -> str:
    values: dict[str, Any] = {"owner": "anna", "name": "job", "queue": "default", "priority": 0}
    documents: dict[str, Any] = {name: {} for name in ("spec", "data_schema", "inspection", "labels")}
    return database.run(repository.insert, **values, **documents).id


def test_events_are_numbered_without_gaps_by_many_writers(database: Database, job_id: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        seqs = list(pool.map(lambda n: database.run(events.append, job_id, "phase", {"n": n}, 1), range(20)))
    assert sorted(seqs) == list(range(2, 22))
    rows = database.read(events.list_events, job_id, 0, 100)
    assert [row.seq for row in rows] == list(range(1, 22))
    assert rows[0].kind == "created"
    assert {row.data["n"] for row in rows[1:]} == set(range(20))
    assert [row.at for row in rows] == sorted(row.at for row in rows)


def test_an_event_that_is_rolled_back_leaves_no_gap(database: Database, job_id: str) -> None:
    def fails(session: Any) -> None:
        events.append(session, job_id, "phase", {})
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - our own, just above
        database.run(fails)
    assert database.run(events.append, job_id, "phase", {}) == 2


def test_every_event_is_a_new_version(database: Database, job_id: str) -> None:
    before = database.read(repository.find, "anna", job_id)
    database.run(events.append, job_id, "phase", {})
    after = database.read(repository.find, "anna", job_id)
    assert (after.version, after.last_seq) == (before.version + 1, before.last_seq + 1)
    assert after.updated_at >= before.updated_at


def test_reading_is_bounded(database: Database, job_id: str) -> None:
    for number in range(6):
        database.run(events.append, job_id, events.EventKind.PHASE if number % 2 else "status", {})
    assert [row.seq for row in database.read(events.list_events, job_id, 2, 3)] == [3, 4, 5]
    assert [row.seq for row in database.read(events.list_transitions, job_id, 2)] == [2, 4]
    assert list(database.read(events.list_events, job_id, 7, 3)) == []
    assert list(database.read(events.list_events, "job_none", 0, 3)) == []


def test_kinds_are_listed_alone_by_their_index(database: Database, job_id: str) -> None:
    for kind in ("metrics", "checkpoint", "metrics", "warning"):
        database.run(events.append, job_id, kind, {})
    for kinds, expected in (
        (["checkpoint", "warning"], [3, 5]),
        (["metrics"], [2, 4]),
        (["created", "metrics"], [1, 2, 4]),
    ):
        rows = database.read(events.list_events, job_id, 0, 10, kinds)
        assert [row.seq for row in rows] == expected
    assert [row.seq for row in database.read(events.list_events, job_id, 3, 1, ["checkpoint", "warning"])] == [5]
