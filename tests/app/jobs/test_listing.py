"""Lists: the right rows for every combination of filters, at a cost that does not grow with the number of rows."""

import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.orm import Session

from app import events
from app.access import audit
from app.datasets import lookup
from app.db.session import Database
from app.db.tables import AuditRow, DatasetRow, DeliveryRow, EventRow, JobRow, LabelRow
from app.jobs import deletion, listing, queue, repository, service
from app.jobs.states import Status, Verb
from app.webhooks import deliveries
from tests.app.api.job_factories import create_job_in_status
from tests.app.webhooks.factories import create_webhook

FILLER = "x" * 500  # specs are long


def job_values(number: int, **values: Any) -> dict[str, Any]:
    """Return the columns of a job that ended long ago."""
    return {
        "id": f"job_{number:032d}",
        "owner": "anna",
        "name": "n",
        "spec": {"filler": FILLER},
        "data_schema": {},
        "inspection": {"filler": FILLER},
        "labels": {},
        "status": "succeeded",
        "queue": "default",
        "priority": 0,
        "progress": {},
        "finished_at": float(number),
        "started_at": float(number),
        "deleted_at": None,
    } | values


def store_jobs(database: Database, jobs: Sequence[Mapping[str, Any]]) -> None:
    database.run(lambda session: session.execute(insert(JobRow), jobs))


FILTERS = list(
    itertools.product(
        ((), ("failed",), ("failed", "queued", "running")),
        (None, "a"),
        ({}, {"x": "1"}, {"x": "2", "y": "1"}),
        (False, True),
    )
)


def test_every_combination_of_filters_finds_what_it_says(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(0)
    jobs = [
        job_values(
            number,
            owner=draw.choice(["anna", "anna", "bert"]),
            name=draw.choice("ab"),
            status=draw.choice(list(Status)).value,
            labels={key: draw.choice("12") for key in "xy" if draw.random() < 0.7},
            deleted_at=draw.choice([None, None, 1.0]),
        )
        for number in range(150)
    ]
    store_jobs(database, jobs)
    monkeypatch.setattr(listing, "COUNTED", 10)
    for status, name, labels, deleted in FILTERS:
        expected = [
            job["id"]
            for job in reversed(jobs)
            if job["owner"] == "anna"
            and (job["deleted_at"] is not None) == deleted
            and (not status or job["status"] in status)
            and name in (None, job["name"])
            and labels.items() <= job["labels"].items()
        ]
        found: list[str] = []
        more = True
        while more:
            after = found[-1] if found else None
            rows, more = database.read(listing.page, "anna", 15, after, status, name, labels, deleted)
            found += [row.id for row in rows]
        assert found == expected, (status, name, labels, deleted)


def test_labels_follow_their_job(database: Database) -> None:
    """Through every status, into the trash and back, and away with the job."""

    def labelled(job_id: str) -> Any:
        return database.read(
            lambda session: session.scalars(select(LabelRow.status).where(LabelRow.job_id == job_id)).all()
        )

    for status in Status:
        job_id = create_job_in_status(database, status, labels={"team": "vision"})
        assert labelled(job_id) == [status]
    ended = create_job_in_status(database, Status.FAILED, labels={"team": "vision"})
    database.run(deletion.delete, "anna", ended)
    assert labelled(ended) == ["deleted"]
    database.run(deletion.restore, "anna", ended)
    assert labelled(ended) == ["failed"]
    database.run(service.retry, "anna", ended)
    assert labelled(ended) == ["queued"]
    database.run(repository.transition, ended, Verb.CANCEL)
    database.run(deletion.purge, "anna", ended)
    assert labelled(ended) == []


@contextmanager
def database_work(database: Database, session: Session) -> Iterator[list[int]]:
    """Measure the work of statements: steps of SQLite's virtual machine, pages that PostgreSQL looks at."""
    work = [0]
    if database.is_sqlite:
        connection: Any = session.connection().connection.driver_connection

        def step() -> int:
            work[0] += 1
            return 0

        connection.set_progress_handler(step, 10)
        yield work
        connection.set_progress_handler(None, 0)
        return
    statements: list[tuple[str, Any]] = []

    def record(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        statements.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", record)
    yield work
    event.remove(database.engine, "before_cursor_execute", record)
    for statement, parameters in statements:
        explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + statement
        plan = session.connection().exec_driver_sql(explain, parameters).scalar_one()
        top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
        work[0] += top["Shared Hit Blocks"] + top["Shared Read Blocks"]


def spread_rows(count: int, webhook_id: str) -> Mapping[Any, list[dict[str, Any]]]:
    """Return rows for every list: all alike, but for the very first ones."""
    jobs = [
        job_values(
            number,
            status="succeeded" if number else "failed",
            name="common" if number else "rare",
            labels={"project": "common", "team": "common"} if number else {"project": "common", "team": "rare"},
        )
        for number in range(count)
    ]
    deleted = [job_values(count + number, labels={"team": "gone"}, deleted_at=1.0) for number in range(count)]
    return {
        JobRow: jobs + deleted,
        EventRow: [
            {
                "job_id": jobs[0]["id"],
                "seq": number + 1,
                "kind": "metrics" if number else "status",
                "fence": 1,
                "data": {},
            }
            for number in range(count)
        ],
        AuditRow: [
            {"id": f"aud_{number:032d}", "owner": "anna", "request_id": "r", "data": {"filler": FILLER}}
            | {"action": "job.create" if number else "job.fork", "key_id": "a" if number else "b"}
            | {"target": f"job_{number}"}
            for number in range(count)
        ],
        DatasetRow: [
            {"id": f"ds_{number:032d}", "owner": "anna", "source": {"filler": FILLER}, "parts": []}
            | {"status": "ready" if number else "invalid", "name": "common" if number else "rare"}
            for number in range(count)
        ],
        DeliveryRow: [
            {"id": f"msg_{number:032d}", "webhook_id": webhook_id, "type": "x", "body": FILLER, "attempts": []}
            | {"status": "delivered" if number else "failed"}
            for number in range(count)
        ],
    }


FIRST = f"job_{0:032d}"
LISTS = {
    "all": lambda session, hook: listing.page(session, "anna", 20),
    "deep in": lambda session, hook: listing.page(session, "anna", 20, f"job_{20:032d}"),
    "another's": lambda session, hook: listing.page(session, "bert", 20),
    "a rare status": lambda session, hook: listing.page(session, "anna", 20, None, ["failed"]),
    "no match": lambda session, hook: listing.page(session, "anna", 20, None, ["paused", "cancelled"]),
    "a rare one of several": lambda session, hook: listing.page(session, "anna", 20, None, ["failed", "succeeded"]),
    "a rare name": lambda session, hook: listing.page(session, "anna", 20, None, (), "rare"),
    "no name": lambda session, hook: listing.page(session, "anna", 20, None, (), "none"),
    "name and status": lambda session, hook: listing.page(session, "anna", 20, None, ["failed"], "common"),
    "label and status": lambda session, hook: listing.page(
        session, "anna", 20, None, ["failed"], None, {"team": "common"}
    ),
    "label and no status": lambda session, hook: listing.page(
        session, "anna", 20, None, ["paused"], None, {"team": "common"}
    ),
    "label and name": lambda session, hook: listing.page(session, "anna", 20, None, (), "rare", {"team": "common"}),
    "labels": lambda session, hook: listing.page(
        session, "anna", 20, None, (), None, {"project": "common", "team": "rare"}
    ),
    "no label": lambda session, hook: listing.page(session, "anna", 20, None, (), None, {"team": "none"}),
    "deleted": lambda session, hook: listing.page(session, "anna", 20, deleted=True),
    "deleted, label": lambda session, hook: listing.page(session, "anna", 20, labels={"team": "common"}, deleted=True),
    "transitions": lambda session, hook: events.list_transitions(session, FIRST, 100),
    "audit, rare action": lambda session, hook: audit.page(session, "anna", 20, None, ["job.fork"]),
    "audit, no action": lambda session, hook: audit.page(session, "anna", 20, None, ["key.revoke"]),
    "audit, rare key": lambda session, hook: audit.page(session, "anna", 20, None, (), "b"),
    "audit, key and action": lambda session, hook: audit.page(session, "anna", 20, None, ["job.fork"], "a"),
    "audit, target": lambda session, hook: audit.page(session, "anna", 20, None, (), None, "job_0"),
    "data sets, status": lambda session, hook: lookup.page(session, "anna", 20, None, [lookup.DatasetStatus.INVALID]),
    "data sets, name": lambda session, hook: lookup.page(session, "anna", 20, None, (), "rare"),
    "deliveries, status": lambda session, hook: deliveries.page(session, hook, 20, None, ["failed"]),
    "claim": lambda session, hook: queue.next_job(session, ["default"]) if session else None,
    "mean duration": lambda session, hook: queue._mean_duration(session, "another"),
}


def test_lists_cost_the_same_among_many_rows(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With twenty times as many rows a page takes less than twice the work: none of its queries looks at all rows."""
    monkeypatch.setattr(listing, "COUNTED", 20)
    webhook_id = create_webhook(database)
    work: dict[str, list[int]] = {name: [] for name in LISTS}
    for size in (100, 2000):
        for table, rows in spread_rows(size, webhook_id).items():
            database.run(lambda session, table=table: session.execute(table.__table__.delete()))
            if table is JobRow:
                store_jobs(database, rows)
            else:
                database.run(lambda session, table=table, rows=rows: session.execute(insert(table), rows))
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not database.is_sqlite:
                connection.execute(text("VACUUM ANALYZE"))
        for name, read in LISTS.items():
            with database.begin(read_only=True) as session, database_work(database, session) as done:
                read(session, webhook_id)
                session.expunge_all()
            work[name].append(done[0])
    grown = {name: (few, many) for name, (few, many) in work.items() if many > 2 * few + 60}
    assert not grown


def test_what_a_list_shows_is_all_that_it_loads(database: Database) -> None:
    store_jobs(database, [job_values(1)])
    (row,), _ = database.read(listing.page, "anna", 1)
    assert {"spec", "data_schema", "inspection", "result"}.isdisjoint(row._fields)
