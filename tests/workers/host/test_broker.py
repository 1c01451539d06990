"""Which messages are wake-ups."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from kombu.transport import redis

from app.jobs.dispatch import WORK_TASK
from app.settings import Settings
from workers.host.broker import WakeUpTransport, _reject_reason, _wake_up
from workers.host.celery_app import create_celery

AT = datetime.now(UTC)


def sent(**headers: Any) -> dict[str, Any]:
    return {"headers": {"task": WORK_TASK, **headers}}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (sent(), None),
        (sent(expires=None), None),
        (sent(expires=(AT + timedelta(days=1)).isoformat()), None),
        (sent(expires=(AT - timedelta(minutes=1)).isoformat()), "expired"),
        (sent(expires="0001-01-01T00:00:00"), "expired"),
        (sent(expires="9999-12-31T23:59:59-23:59"), None),
        (sent(expires="never"), "malformed"),
        (sent(expires=5), "malformed"),
        (sent(task="celery.ping"), "unknown_task"),
        (sent(task=["x"]), "unknown_task"),
        ({"headers": {}}, "unknown_task"),
        ({"headers": [WORK_TASK]}, "malformed"),
        ({}, "malformed"),
        ([], "malformed"),
        (None, "malformed"),
        ("x", "malformed"),
    ],
)
def test_a_message_is_a_wake_up_by_its_task_alone(message: Any, reason: str | None) -> None:
    assert _reject_reason(message) == reason


def test_what_is_delivered_is_made_anew() -> None:
    first, second = _wake_up("default"), _wake_up("default")
    assert _reject_reason(first) is None
    assert first["properties"]["delivery_tag"] != second["properties"]["delivery_tag"]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "rediss://127.0.0.1:1/0", "redis+socket:///tmp/none.sock"])
def test_a_worker_reads_by_way_of_it_whatever_the_form_of_the_url(url: str) -> None:
    app: Celery = create_celery(Settings(broker_url=url), "graftwerk.own")
    for connection in (app.connection_for_read(), app.connection_for_read().clone()):
        assert connection.get_transport_cls() is WakeUpTransport


def test_the_parts_of_kombu_that_are_replaced_are_there() -> None:
    assert redis.Channel._brpop_read
    assert redis.Transport._deliver
