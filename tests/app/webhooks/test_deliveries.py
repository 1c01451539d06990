"""How messages wait, are claimed, tried again and given up, on both databases."""

import threading
from typing import Any

import pytest
from sqlalchemy import select

from app.db.session import Database
from app.db.tables import DeliveryRow, WebhookRow, now
from app.errors import InvalidState, NotFound
from app.jobs.states import Status
from app.webhooks import deliveries, repository
from app.webhooks.deliveries import MAX_CONCURRENT_ATTEMPTS, RETRY_DELAYS, ClaimedMessage, DeliveryResult
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

ARRIVED = DeliveryResult(204, 0.1)
REFUSED = DeliveryResult(500, 0.1, "refused", "the receiver answered 500")
DAY = 86_400


@pytest.fixture
def hook(database: Database) -> str:
    return create_webhook(database)


def message(db: Database, count: int = 1) -> None:
    for _ in range(count):
        create_job_in_status(db, Status.CANCELLED)


def claim(db: Database, **options: Any) -> ClaimedMessage:
    claimed = db.run(deliveries.claim, **options)
    assert claimed is not None
    return claimed


def clock(db: Database) -> float:
    return db.read(lambda session: session.execute(select(now())).scalar_one())


def test_a_message_is_claimed_once_and_delivered(database: Database, hook: str) -> None:
    assert not database.read(deliveries.has_due_message)
    message(database)
    assert database.read(deliveries.has_due_message)
    claimed = claim(database)
    (row,) = list_messages(database, hook)
    assert (claimed.id, claimed.body, claimed.url) == (row.id, row.body, get_webhook(database, hook).url)
    assert claimed.secrets == (get_webhook(database, hook).secret,)
    assert abs(claimed.at - clock(database)) < 60
    assert not database.read(deliveries.has_due_message)
    assert database.run(deliveries.claim) is None
    assert database.run(deliveries.record_result, claimed, ARRIVED)
    (row,) = list_messages(database, hook)
    assert (row.status, row.tries, row.lease_until) == ("delivered", 1, None)
    assert row.ended_at is not None
    assert [(each["status"], each["error"]) for each in row.attempts] == [(204, "")]
    assert database.run(deliveries.claim) is None


def test_what_was_sent_and_not_recorded_is_sent_again_under_its_id(database: Database, hook: str) -> None:
    message(database)
    first = claim(database)
    expire_lease(database, first.id)
    second = claim(database)
    assert (second.id, second.body) == (first.id, first.body)
    assert second.claim > first.claim
    assert not database.run(deliveries.record_result, first, REFUSED)  # too late: another attempt is under way
    assert database.run(deliveries.record_result, second, ARRIVED)
    assert not database.run(deliveries.record_result, second, REFUSED)
    (row,) = list_messages(database, hook)
    assert (row.status, row.tries, len(row.attempts)) == ("delivered", 2, 1)


def test_pauses_grow_until_a_message_is_given_up_after_three_days(database: Database, hook: str) -> None:
    message(database)
    waited = 0.0
    for tries, pause in enumerate(RETRY_DELAYS, 1):
        before = clock(database)
        assert database.run(deliveries.record_result, claim(database), REFUSED)
        (row,) = list_messages(database, hook)
        assert (row.status, row.tries) == ("pending", tries)
        waited += row.next_at - before
        assert 0.9 * pause <= row.next_at - before <= 1.2 * pause + 30
        assert database.run(deliveries.claim) is None
        make_due(database, row.id)
    assert 2.7 * DAY < waited < 4 * DAY
    assert database.run(deliveries.record_result, claim(database), REFUSED)
    (row,) = list_messages(database, hook)
    assert (row.status, row.tries) == ("failed", len(RETRY_DELAYS) + 1)
    assert len(row.attempts) == len(RETRY_DELAYS) + 1
    assert database.run(deliveries.claim) is None


def test_pauses_differ_so_that_receivers_are_not_stormed(database: Database, hook: str) -> None:
    message(database, 5)
    for _ in range(5):
        database.run(deliveries.record_result, claim(database), REFUSED)
    pauses = {round(row.next_at - row.attempts[-1]["at"], 2) for row in list_messages(database, hook)}
    assert len(pauses) > 1


@pytest.mark.parametrize(("asked", "kept"), [(1.0, 5.0), (600.0, 600.0), (10 * DAY, DAY)])
def test_a_receiver_may_ask_for_time(database: Database, hook: str, asked: float, kept: float) -> None:
    message(database)
    before = clock(database)
    database.run(deliveries.record_result, claim(database), DeliveryResult(503, 0.1, "refused", "", asked))
    (row,) = list_messages(database, hook)
    assert 0.9 * kept <= row.next_at - before <= 1.2 * kept + 30


def test_a_receiver_that_is_gone_is_left_alone(database: Database, hook: str) -> None:
    message(database, 2)
    database.run(deliveries.record_result, claim(database), DeliveryResult(410, 0.1, "refused"))
    found = get_webhook(database, hook)
    assert found.disabled_at is not None
    assert "410" in str(found.disabled_reason)
    assert sorted(row.status for row in list_messages(database, hook)) == ["failed", "pending"]
    assert not database.read(deliveries.has_due_message)
    assert database.run(deliveries.claim) is None
    with pytest.raises(InvalidState):
        database.run(repository.find_enabled, "anna", hook)
    database.run(repository.enable, "anna", hook)
    assert database.run(deliveries.record_result, claim(database), ARRIVED)  # what waited goes on


def test_a_webhook_without_success_for_days_is_disabled(database: Database, hook: str) -> None:
    message(database, 3)
    database.run(deliveries.record_result, claim(database), REFUSED)
    assert get_webhook(database, hook).failing_since is not None
    database.run(deliveries.record_result, claim(database), ARRIVED)
    assert get_webhook(database, hook).failing_since is None
    for failing_since, disabled in ((now() - DAY, False), (now() - 4 * DAY, True)):
        update_row(database, WebhookRow, hook, failing_since=failing_since)
        last = list_messages(database, hook)[-1].id
        update_row(database, DeliveryRow, last, status="pending", tries=len(RETRY_DELAYS), next_at=now() - 1)
        database.run(deliveries.record_result, claim(database), REFUSED)
        assert (get_webhook(database, hook).disabled_at is not None) == disabled


def test_a_backlog_has_an_end(database: Database, hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MAX_PENDING_MESSAGES", 2)
    message(database, 3)
    database.run(deliveries.record_result, claim(database), REFUSED)
    assert "more than 2" in str(get_webhook(database, hook).disabled_reason)


def test_a_webhook_has_few_attempts_under_way_and_others_wait_for_none(database: Database, hook: str) -> None:
    message(database, MAX_CONCURRENT_ATTEMPTS + 2)
    under_way = [claim(database) for _ in range(MAX_CONCURRENT_ATTEMPTS)]
    assert database.run(deliveries.claim) is None
    other = create_webhook(database, "bert")
    create_job_in_status(database, Status.CANCELLED, "bert")
    assert claim(database).webhook_id == other
    expire_lease(database, under_way[0].id)
    assert claim(database).webhook_id == hook


def test_webhooks_that_fail_come_last(database: Database, hook: str) -> None:
    message(database)
    update_row(database, WebhookRow, hook, failing_since=now() - 100)
    assert database.run(deliveries.claim, healthy=True) is None
    other = create_webhook(database, "bert")
    create_job_in_status(database, Status.CANCELLED, "bert")
    assert [claim(database).webhook_id for _ in range(2)] == [other, hook]


def test_many_who_claim_get_every_message_once(database: Database, hook: str) -> None:
    """Also under load: no message twice, and never more of one webhook than allowed."""
    for owner in ("bert", "cleo"):
        create_webhook(database, owner)
    for owner in ("anna", "bert", "cleo"):
        for _ in range(6):
            create_job_in_status(database, Status.CANCELLED, owner)
    claimed: list[ClaimedMessage] = []

    def work() -> None:
        misses = 0
        while misses < 20:
            found = database.run(deliveries.claim)
            if found is None:
                misses += 1
                continue
            claimed.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    ids = [each.id for each in claimed]
    assert len(ids) == len(set(ids)) == 3 * MAX_CONCURRENT_ATTEMPTS
    for each in claimed:
        assert sum(other.webhook_id == each.webhook_id for other in claimed) == MAX_CONCURRENT_ATTEMPTS


def test_a_message_is_sent_again_on_demand(database: Database, hook: str) -> None:
    message(database)
    claimed = claim(database)
    database.run(deliveries.record_result, claimed, ARRIVED)
    webhook_row = get_webhook(database, hook)
    again = database.run(deliveries.resend, webhook_row, claimed.id)
    assert (again.id, again.status, again.tries, len(again.attempts)) == (claimed.id, "pending", 0, 1)
    database.run(deliveries.record_result, claim(database), REFUSED)
    (row,) = list_messages(database, hook)
    assert (row.status, row.tries, len(row.attempts)) == ("pending", 1, 2)
    with pytest.raises(NotFound):
        database.run(deliveries.resend, get_webhook(database, create_webhook(database, "bert")), claimed.id)


def test_an_old_secret_signs_for_a_day(database: Database, hook: str) -> None:
    old = get_webhook(database, hook).secret
    new = database.run(repository.rotate, "anna", hook, SEALER)[0].secret
    assert old != new
    message(database, 2)
    assert claim(database).secrets == (new, old)
    update_row(database, WebhookRow, hook, old_until=now() - 1)
    assert claim(database).secrets == (new,)


def test_the_log_is_kept_for_a_while(database: Database, hook: str) -> None:
    message(database, 2)
    first, second = list_messages(database, hook)
    update_row(database, DeliveryRow, first.id, created_at=now() - 31 * DAY)
    assert database.run(deliveries.purge, 30) == 1
    assert [row.id for row in list_messages(database, hook)] == [second.id]


def test_attempts_are_kept_up_to_a_number(database: Database, hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MAX_RECORDED_ATTEMPTS", 3)
    message(database)
    for _ in range(5):
        database.run(deliveries.record_result, claim(database), REFUSED)
        make_due(database, list_messages(database, hook)[0].id)
    assert len(list_messages(database, hook)[0].attempts) == 3


def test_pages_are_of_one_webhook_newest_first(database: Database, hook: str) -> None:
    message(database, 3)
    database.run(deliveries.record_result, claim(database), ARRIVED)
    first, second, third = (row.id for row in list_messages(database, hook))
    rows, more = database.read(deliveries.page, hook, 2)
    assert ([row.id for row in rows], more) == ([third, second], True)
    rows, more = database.read(deliveries.page, hook, 2, second)
    assert ([row.id for row in rows], more) == ([first], False)
    rows, _ = database.read(deliveries.page, hook, 9, None, ["delivered"])
    assert [row.id for row in rows] == [first]
    assert database.read(deliveries.page, create_webhook(database, "bert"), 9)[0] == []


@pytest.mark.parametrize(("column", "seconds"), [("lease_until", 3600.0), ("next_at", 365.0 * DAY)])
def test_times_of_before_the_clock_was_set_back_keep_no_message(
    database: Database, hook: str, column: str, seconds: float
) -> None:
    message(database)
    (row,) = list_messages(database, hook)
    update_row(database, DeliveryRow, row.id, **{column: now() + seconds})
    assert database.read(deliveries.has_due_message)
    assert claim(database).id == row.id
    assert database.run(deliveries.claim) is None
