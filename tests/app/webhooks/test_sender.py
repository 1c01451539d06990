"""From an event to a receiver, on both databases: at least once, under one id, and nobody waits for anybody."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from app.db.session import Database
from app.db.tables import WebhookRow
from app.errors import DatabaseUnavailable
from app.jobs.states import Status
from app.webhooks import deliveries, repository
from app.webhooks.sender import MAX_IN_FLIGHT, WebhookSender
from app.webhooks.signature import signed_headers
from app.webhooks.targets import TargetPolicy
from tests.app.api.job_factories import create_job_in_status
from tests.app.webhooks.factories import (
    SEALER,
    create_webhook,
    expire_lease,
    get_webhook,
    list_messages,
    make_due,
    update_row,
)
from tests.webhook_receiver import ReceivedWebhook, Receiver, respond, respond_with, run_receiver

OPEN = TargetPolicy(http=True, private=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as opened:
        yield opened


def courier(db: Database, targets: TargetPolicy = OPEN, **options: Any) -> WebhookSender:
    return WebhookSender(db, targets, **{"sealer": SEALER, **options})


def until(condition: Callable[[], bool], step: Callable[[], None] = lambda: time.sleep(0.05)) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        step()


def all_ended(db: Database, hook: str) -> bool:
    return all(row.attempts and row.lease_until is None for row in list_messages(db, hook))


def carry(db: Database, hook: str, made: WebhookSender) -> None:
    """Send what is due, and record what came of it."""
    until(lambda: all_ended(db, hook), lambda: made.run_round(0.05))


def test_a_job_s_end_arrives_signed(database: Database, receiver: Receiver) -> None:
    hook = create_webhook(database, url=receiver.url)
    job = create_job_in_status(database, Status.SUCCEEDED)
    carry(database, hook, courier(database))
    (message,), (row,) = receiver.messages, list_messages(database, hook)
    assert (message.id, message.body, row.status) == (row.id, row.body, "delivered")
    assert job in message.body
    at = float(message.headers["webhook-timestamp"])
    headers = signed_headers(message.id, at, message.body, [SEALER.open(get_webhook(database, hook).secret)])
    assert message.headers["webhook-signature"] == headers["webhook-signature"]
    assert abs(at - time.time()) < 60


def test_a_crash_between_sending_and_recording_sends_the_same_message_again(
    database: Database, receiver: Receiver
) -> None:
    hook = create_webhook(database, url=receiver.url)
    create_job_in_status(database, Status.SUCCEEDED)
    courier(database).run_round()  # it sends, and dies before it writes down that it did
    (first,) = receiver.wait()
    (row,) = list_messages(database, hook)
    assert (row.status, row.attempts) == ("pending", [])
    other = courier(database)
    other.run_round()
    assert len(receiver.messages) == 1  # not before the lease has run out
    expire_lease(database, row.id)
    carry(database, hook, other)
    first, second = receiver.messages
    assert (first.id, first.body) == (second.id, second.body) == (row.id, row.body)
    (row,) = list_messages(database, hook)
    assert (row.status, row.tries) == ("delivered", 2)


def test_a_receiver_that_refuses_is_asked_again(database: Database, receiver: Receiver) -> None:
    hook = create_webhook(database, url=receiver.url)
    receiver.script = respond_with(500)
    create_job_in_status(database, Status.SUCCEEDED)
    made = courier(database)
    carry(database, hook, made)
    (row,) = list_messages(database, hook)
    assert (row.status, row.attempts[0]["status"], row.attempts[0]["error"]) == ("pending", 500, "refused")
    receiver.script = respond_with(200)
    make_due(database, row.id)
    until(lambda: list_messages(database, hook)[0].status == "delivered", lambda: made.run_round(0.05))
    assert len({message.id for message in receiver.messages}) == 1
    times = [message.headers["webhook-timestamp"] for message in receiver.messages]
    assert len(times) == 2


def test_several_couriers_send_every_message_once(database: Database, receiver: Receiver) -> None:
    hook = create_webhook(database, url=receiver.url)
    for _ in range(20):
        create_job_in_status(database, Status.CANCELLED)
    couriers = [courier(database) for _ in range(3)]
    for each in couriers:
        each.start()
    until(lambda: all(row.status == "delivered" for row in list_messages(database, hook)))
    for each in couriers:
        each.stop()
    assert sorted(message.id for message in receiver.messages) == [row.id for row in list_messages(database, hook)]


def test_a_slow_receiver_keeps_nobody_waiting(database: Database, receiver: Receiver) -> None:
    release = threading.Event()

    def slow(message: ReceivedWebhook, handler: BaseHTTPRequestHandler) -> None:
        release.wait(30)
        respond(handler, 204)

    with run_receiver(slow) as tardy:
        create_webhook(database, url=tardy.url)
        hook = create_webhook(database, url=receiver.url)
        for _ in range(10):
            create_job_in_status(database, Status.CANCELLED)
        made = courier(database)
        made.start()
        until(lambda: all(row.status == "delivered" for row in list_messages(database, hook)))
        assert len(tardy.messages) == deliveries.MAX_CONCURRENT_ATTEMPTS
        release.set()
        made.stop()


def test_webhooks_that_fail_leave_places_to_others(database: Database) -> None:
    under_way, release = [], threading.Event()

    def hanging(target: Any, headers: Any, body: str) -> deliveries.DeliveryResult:
        under_way.append(body)
        release.wait(30)
        return deliveries.DeliveryResult(200, 0.0)

    count = MAX_IN_FLIGHT // deliveries.MAX_CONCURRENT_ATTEMPTS
    for owner in range(count):
        hook = create_webhook(database, f"owner {owner}", url="http://127.0.0.1/")
        update_row(database, WebhookRow, hook, failing_since=1.0)
        for _ in range(deliveries.MAX_CONCURRENT_ATTEMPTS):
            create_job_in_status(database, Status.CANCELLED, f"owner {owner}")
    made = courier(database, send=hanging)
    made.run_round()
    until(lambda: len(under_way) >= MAX_IN_FLIGHT // 2)
    assert len(under_way) == MAX_IN_FLIGHT // 2
    create_webhook(database, "healthy", url="http://127.0.0.1/")
    create_job_in_status(database, Status.CANCELLED, "healthy")
    made.run_round()
    until(lambda: len(under_way) == MAX_IN_FLIGHT // 2 + 1)
    release.set()


class Rebound:
    """A resolver whose answers change from look to look."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return (self.answers.pop(0) if self.answers else "127.0.0.1",)


def test_a_name_that_changes_to_a_private_address_leads_nowhere(database: Database, receiver: Receiver) -> None:
    """Allowed when the webhook was made, and the receiver listens there: still nothing is sent."""
    resolve = Rebound("93.184.215.14")
    targets = TargetPolicy(http=True, private=False, resolve=resolve)
    url = f"http://rebound.example:{receiver.port}/"
    targets.check(url)  # as the API did
    hook = create_webhook(database, url=url)
    create_job_in_status(database, Status.SUCCEEDED)
    carry(database, hook, courier(database, targets))
    (row,) = list_messages(database, hook)
    assert (row.status, row.attempts[0]["error"], row.attempts[0]["status"]) == ("pending", "private_address", None)
    assert receiver.messages == []


def test_what_was_looked_at_is_what_is_connected_to(database: Database, receiver: Receiver) -> None:
    """One look for one attempt: there is no second one that could tell something else."""
    resolve = Rebound("127.0.0.1", "127.0.0.9")
    hook = create_webhook(database, url=f"http://name.example:{receiver.port}/hook")
    create_job_in_status(database, Status.SUCCEEDED)
    carry(database, hook, courier(database, TargetPolicy(http=True, private=True, resolve=resolve)))
    assert resolve.asked == 1
    assert receiver.messages[0].headers["host"] == f"name.example:{receiver.port}"


def test_a_redirect_to_a_private_address_is_not_followed(database: Database, receiver: Receiver) -> None:
    with run_receiver() as inside:
        receiver.script = respond_with(302, Location=inside.url)
        hook = create_webhook(database, url=receiver.url)
        create_job_in_status(database, Status.SUCCEEDED)
        carry(database, hook, courier(database))
        assert list_messages(database, hook)[0].attempts[0]["error"] == "redirect"
        assert inside.messages == []


def test_a_fault_of_ours_is_tried_again(database: Database) -> None:
    def broken(target: Any, headers: Any, body: str) -> deliveries.DeliveryResult:
        raise RuntimeError("bug")

    hook = create_webhook(database, url="http://127.0.0.1/")
    create_job_in_status(database, Status.SUCCEEDED)
    carry(database, hook, courier(database, send=broken))
    (row,) = list_messages(database, hook)
    assert (row.status, row.attempts[0]["error"], row.attempts[0]["detail"]) == ("pending", "internal", "RuntimeError")


def test_what_was_sent_while_the_database_was_away_is_recorded(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = create_webhook(database, url=receiver.url)
    create_job_in_status(database, Status.SUCCEEDED)
    made = courier(database)
    made.run_round()
    receiver.wait()
    run = database.run

    def away(*_: Any, **__: Any) -> Any:
        raise DatabaseUnavailable

    monkeypatch.setattr(database, "run", away)
    with pytest.raises(DatabaseUnavailable):
        made.run_round(5.0)
    monkeypatch.setattr(database, "run", run)
    made.run_round()
    (row,) = list_messages(database, hook)
    assert (row.status, row.tries) == ("delivered", 1)
    assert len(receiver.messages) == 1


def test_a_webhook_deleted_on_the_way_is_no_fault(database: Database, receiver: Receiver) -> None:
    def deleting(message: ReceivedWebhook, handler: BaseHTTPRequestHandler) -> None:
        database.run(repository.delete, "anna", hook)
        respond(handler, 204)

    receiver.script = deleting
    hook = create_webhook(database, url=receiver.url)
    create_job_in_status(database, Status.SUCCEEDED)
    made = courier(database)
    made.run_round()
    receiver.wait()
    made.run_round(5.0)
    assert list_messages(database, hook) == []
