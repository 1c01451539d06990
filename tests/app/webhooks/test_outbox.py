"""Messages are written with what they tell, on both databases."""

import json
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app import events
from app.db.session import Database
from app.errors import InvalidState
from app.jobs import service
from app.jobs.states import Status
from app.webhooks import outbox, repository
from app.webhooks.messages import TERMINAL_TYPES, MessageType
from tests.app.api.job_factories import (
    ERROR,
    SPEC,
    create_job_in_status,
    create_queued_job,
    create_running_job,
    finish_job,
    record_curve,
    record_message,
)
from tests.app.webhooks.factories import create_webhook, get_webhook, list_messages, update_row
from workers.protocol.messages import Ending, SavedCheckpoint


def types(db: Database, webhook_id: str) -> list[str]:
    return [row.type for row in list_messages(db, webhook_id)]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.QUEUED, ["job.created"]),
        (Status.RUNNING, ["job.created", "job.running"]),
        (Status.PAUSED, ["job.created", "job.running", "job.paused"]),
        (Status.CANCELLED, ["job.created", "job.cancelled"]),
        (Status.SUCCEEDED, ["job.created", "job.running", "job.succeeded"]),
        (Status.FAILED, ["job.created", "job.running", "job.failed"]),
    ],
)
def test_every_change_of_status_is_told_once_to_those_who_want_it(
    database: Database, status: Status, expected: list[str]
) -> None:
    everything, ends = create_webhook(database, events=list(MessageType)), create_webhook(database)
    job = create_job_in_status(database, status)
    assert types(database, everything) == expected
    assert types(database, ends) == [type_ for type_ in expected if type_ in TERMINAL_TYPES]
    for row in list_messages(database, everything):
        assert row.job_id == job
        assert (row.status, row.tries, row.attempts) == ("pending", 0, [])


def test_a_message_says_what_happened(database: Database) -> None:
    hook = create_webhook(database, events=[MessageType.FAILED, MessageType.CHECKPOINT])
    job = create_running_job(database, labels={"team": "vision"})
    record_curve(database, job, 10)
    record_message(database, job, SavedCheckpoint("ckpt_1", 5, 0.5, {}, ()))
    finish_job(database, job, Ending.FAILED)
    listed = database.read(events.list_events, job.id, 0, 100)
    saved, failed = (json.loads(row.body) for row in list_messages(database, hook))
    job_fields: dict[str, Any] = {"id": job.id, "name": "iris", "metadata": {"team": "vision"}}
    assert saved["data"] == {
        "job": job_fields | {"status": "running"},
        "event": next(row.seq for row in listed if row.kind == "checkpoint"),
        "checkpoint": {"id": "ckpt_1", "step": 5},
    }
    wanted = {name: ERROR[name] for name in ("code", "message", "pointer", "retryable")}
    assert failed["data"] == {"job": job_fields | {"status": "failed"}, "event": listed[-1].seq, "error": wanted}
    assert (saved["type"], failed["type"]) == ("job.checkpoint", "job.failed")
    assert saved["timestamp"] <= failed["timestamp"]
    assert failed["timestamp"].endswith("Z")


def test_only_the_owner_s_webhooks_hear_and_only_named_ones_where_they_want(database: Database) -> None:
    all_, named, theirs = (
        create_webhook(database),
        create_webhook(database, all_jobs=False),
        create_webhook(database, "bert"),
    )
    database.run(service.cancel, "anna", create_queued_job(database))
    assert [len(list_messages(database, hook)) for hook in (all_, named, theirs)] == [1, 0, 0]
    for hook, heard in ((named, 1), (all_, 2), (theirs, 0)):
        database.run(service.cancel, "anna", create_queued_job(database, spec=SPEC | {"webhook": hook}))
        assert len(list_messages(database, hook)) == heard + (hook == all_)
    assert [len(list_messages(database, hook)) for hook in (all_, named, theirs)] == [4, 1, 0]


def test_a_disabled_webhook_hears_nothing(database: Database) -> None:
    hook = create_webhook(database)
    update_row(database, type(get_webhook(database, hook)), hook, disabled_at=1.0, disabled_reason="test")
    create_job_in_status(database, Status.CANCELLED)
    assert list_messages(database, hook) == []
    database.run(repository.enable, "anna", hook)
    create_job_in_status(database, Status.CANCELLED)
    assert len(list_messages(database, hook)) == 1


def test_what_did_not_happen_is_not_told(database: Database) -> None:
    """The message is part of the transaction of its event: both are there, or neither."""
    hook = create_webhook(database, events=list(MessageType))
    job = create_queued_job(database)

    def halfway(session: Session) -> None:
        service.cancel(session, "anna", job)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        database.run(halfway)
    assert types(database, hook) == ["job.created"]
    assert database.read(events.list_transitions, job, 10) == []


def test_a_webhook_that_is_deleted_takes_its_messages(database: Database) -> None:
    hook = create_webhook(database)
    create_job_in_status(database, Status.CANCELLED)
    database.run(repository.delete, "anna", hook)
    assert list_messages(database, hook) == []
    create_job_in_status(database, Status.CANCELLED)  # and stands in nobody's way


def test_a_ping_waits_like_any_message(database: Database) -> None:
    hook = create_webhook(database)
    made = database.run(lambda session: outbox.enqueue_ping(session, repository.find_enabled(session, "anna", hook)))
    assert [row.id for row in list_messages(database, hook)] == [made.id]
    assert json.loads(made.body)["data"] == {"webhook": {"id": hook, "name": "x"}}


def test_there_is_an_end_to_webhooks(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "MAX_WEBHOOKS", 2)
    for _ in range(2):
        create_webhook(database)
    create_webhook(database, "bert")
    with pytest.raises(InvalidState):
        create_webhook(database)
