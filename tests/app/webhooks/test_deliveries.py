"""How messages wait, are claimed, tried again and given up, on both databases."""

import threading
from typing import Any

import pytest
from sqlalchemy import select

from app.db.session import Database
from app.db.tables import DeliveryRow, WebhookRow, now
from app.errors import NotFound, StateForbids
from app.jobs.states import Status
from app.webhooks import deliveries, repository
from app.webhooks.deliveries import AT_ONCE, PAUSES, Attempt, Claimed
from tests.app.api.scenes import job_in
from tests.app.webhooks.scenes import let_expire, make_due, messages, set_, state, webhook

ARRIVED = Attempt(204, 0.1)
REFUSED = Attempt(500, 0.1, "refused", "the receiver answered 500")
DAY = 86_400


@pytest.fixture
def hook(database: Database) -> str:
    return webhook(database)


def message(db: Database, count: int = 1) -> None:
    for _ in range(count):
        job_in(db, Status.CANCELLED)


def claim(db: Database, **options: Any) -> Claimed:
    claimed = db.run(deliveries.claim, **options)
    assert claimed is not None
    return claimed


def clock(db: Database) -> float:
    return db.read(lambda session: session.execute(select(now())).scalar_one())


def test_a_message_is_claimed_once_and_delivered(database: Database, hook: str) -> None:
    assert not database.read(deliveries.due)
    message(database)
    assert database.read(deliveries.due)
    claimed = claim(database)
    (row,) = messages(database, hook)
    assert (claimed.id, claimed.body, claimed.url) == (row.id, row.body, state(database, hook).url)
    assert claimed.secrets == (state(database, hook).secret,)
    assert abs(claimed.at - clock(database)) < 60
    assert not database.read(deliveries.due)
    assert database.run(deliveries.claim) is None
    assert database.run(deliveries.record, claimed, ARRIVED)
    (row,) = messages(database, hook)
    assert (row.status, row.tries, row.lease_until) == ("delivered", 1, None)
    assert row.ended_at is not None
    assert [(each["status"], each["error"]) for each in row.attempts] == [(204, "")]
    assert database.run(deliveries.claim) is None


def test_what_was_sent_and_not_recorded_is_sent_again_under_its_id(database: Database, hook: str) -> None:
    message(database)
    first = claim(database)
    let_expire(database, first.id)
    second = claim(database)
    assert (second.id, second.body) == (first.id, first.body)
    assert second.claim > first.claim
    assert not database.run(deliveries.record, first, REFUSED)  # too late: another attempt is under way
    assert database.run(deliveries.record, second, ARRIVED)
    assert not database.run(deliveries.record, second, REFUSED)
    (row,) = messages(database, hook)
    assert (row.status, row.tries, len(row.attempts)) == ("delivered", 2, 1)


def test_pauses_grow_until_a_message_is_given_up_after_three_days(database: Database, hook: str) -> None:
    message(database)
    waited = 0.0
    for tries, pause in enumerate(PAUSES, 1):
        before = clock(database)
        assert database.run(deliveries.record, claim(database), REFUSED)
        (row,) = messages(database, hook)
        assert (row.status, row.tries) == ("pending", tries)
        waited += row.next_at - before
        assert 0.9 * pause <= row.next_at - before <= 1.2 * pause + 30
        assert database.run(deliveries.claim) is None
        make_due(database, row.id)
    assert 2.7 * DAY < waited < 4 * DAY
    assert database.run(deliveries.record, claim(database), REFUSED)
    (row,) = messages(database, hook)
    assert (row.status, row.tries) == ("failed", len(PAUSES) + 1)
    assert len(row.attempts) == len(PAUSES) + 1
    assert database.run(deliveries.claim) is None


def test_pauses_differ_so_that_receivers_are_not_stormed(database: Database, hook: str) -> None:
    message(database, 5)
    for _ in range(5):
        database.run(deliveries.record, claim(database), REFUSED)
    pauses = {round(row.next_at - row.attempts[-1]["at"], 2) for row in messages(database, hook)}
    assert len(pauses) > 1


@pytest.mark.parametrize(("asked", "kept"), [(1.0, 5.0), (600.0, 600.0), (10 * DAY, DAY)])
def test_a_receiver_may_ask_for_time(database: Database, hook: str, asked: float, kept: float) -> None:
    message(database)
    before = clock(database)
    database.run(deliveries.record, claim(database), Attempt(503, 0.1, "refused", "", asked))
    (row,) = messages(database, hook)
    assert 0.9 * kept <= row.next_at - before <= 1.2 * kept + 30


def test_a_receiver_that_is_gone_is_left_alone(database: Database, hook: str) -> None:
    message(database, 2)
    database.run(deliveries.record, claim(database), Attempt(410, 0.1, "refused"))
    found = state(database, hook)
    assert found.disabled_at is not None
    assert "410" in str(found.disabled_reason)
    assert sorted(row.status for row in messages(database, hook)) == ["failed", "pending"]
    assert not database.read(deliveries.due)
    assert database.run(deliveries.claim) is None
    with pytest.raises(StateForbids):
        database.run(repository.find_enabled, "anna", hook)
    database.run(repository.enable, "anna", hook)
    assert database.run(deliveries.record, claim(database), ARRIVED)  # what waited goes on


def test_a_webhook_without_success_for_days_is_disabled(database: Database, hook: str) -> None:
    message(database, 3)
    database.run(deliveries.record, claim(database), REFUSED)
    assert state(database, hook).failing_since is not None
    database.run(deliveries.record, claim(database), ARRIVED)
    assert state(database, hook).failing_since is None
    for failing_since, disabled in ((now() - DAY, False), (now() - 4 * DAY, True)):
        set_(database, WebhookRow, hook, failing_since=failing_since)
        last = messages(database, hook)[-1].id
        set_(database, DeliveryRow, last, status="pending", tries=len(PAUSES), next_at=now() - 1)
        database.run(deliveries.record, claim(database), REFUSED)
        assert (state(database, hook).disabled_at is not None) == disabled


def test_a_backlog_has_an_end(database: Database, hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MOST_WAITING", 2)
    message(database, 3)
    database.run(deliveries.record, claim(database), REFUSED)
    assert "more than 2" in str(state(database, hook).disabled_reason)


def test_a_webhook_has_few_attempts_under_way_and_others_wait_for_none(database: Database, hook: str) -> None:
    message(database, AT_ONCE + 2)
    under_way = [claim(database) for _ in range(AT_ONCE)]
    assert database.run(deliveries.claim) is None
    other = webhook(database, "bert")
    job_in(database, Status.CANCELLED, "bert")
    assert claim(database).webhook_id == other
    let_expire(database, under_way[0].id)
    assert claim(database).webhook_id == hook


def test_webhooks_that_fail_come_last(database: Database, hook: str) -> None:
    message(database)
    set_(database, WebhookRow, hook, failing_since=now() - 100)
    assert database.run(deliveries.claim, healthy=True) is None
    other = webhook(database, "bert")
    job_in(database, Status.CANCELLED, "bert")
    assert [claim(database).webhook_id for _ in range(2)] == [other, hook]


def test_many_who_claim_get_every_message_once(database: Database, hook: str) -> None:
    """Also under load: no message twice, and never more of one webhook than allowed."""
    for owner in ("bert", "cleo"):
        webhook(database, owner)
    for owner in ("anna", "bert", "cleo"):
        for _ in range(6):
            job_in(database, Status.CANCELLED, owner)
    claimed: list[Claimed] = []

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
    assert len(ids) == len(set(ids)) == 3 * AT_ONCE
    for each in claimed:
        assert sum(other.webhook_id == each.webhook_id for other in claimed) == AT_ONCE


def test_a_message_is_sent_again_on_demand(database: Database, hook: str) -> None:
    message(database)
    claimed = claim(database)
    database.run(deliveries.record, claimed, ARRIVED)
    webhook_row = state(database, hook)
    again = database.run(deliveries.resend, webhook_row, claimed.id)
    assert (again.id, again.status, again.tries, len(again.attempts)) == (claimed.id, "pending", 0, 1)
    database.run(deliveries.record, claim(database), REFUSED)
    (row,) = messages(database, hook)
    assert (row.status, row.tries, len(row.attempts)) == ("pending", 1, 2)
    with pytest.raises(NotFound):
        database.run(deliveries.resend, state(database, webhook(database, "bert")), claimed.id)


def test_an_old_secret_signs_for_a_day(database: Database, hook: str) -> None:
    old = state(database, hook).secret
    new = database.run(repository.rotate, "anna", hook).secret
    assert old != new
    message(database, 2)
    assert claim(database).secrets == (new, old)
    set_(database, WebhookRow, hook, old_until=now() - 1)
    assert claim(database).secrets == (new,)


def test_the_log_is_kept_for_a_while(database: Database, hook: str) -> None:
    message(database, 2)
    first, second = messages(database, hook)
    set_(database, DeliveryRow, first.id, created_at=now() - 31 * DAY)
    assert database.run(deliveries.purge, 30) == 1
    assert [row.id for row in messages(database, hook)] == [second.id]


def test_attempts_are_kept_up_to_a_number(database: Database, hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "KEPT_ATTEMPTS", 3)
    message(database)
    for _ in range(5):
        database.run(deliveries.record, claim(database), REFUSED)
        make_due(database, messages(database, hook)[0].id)
    assert len(messages(database, hook)[0].attempts) == 3


def test_pages_are_of_one_webhook_newest_first(database: Database, hook: str) -> None:
    message(database, 3)
    database.run(deliveries.record, claim(database), ARRIVED)
    first, second, third = (row.id for row in messages(database, hook))
    rows, more = database.read(deliveries.page, hook, 2)
    assert ([row.id for row in rows], more) == ([third, second], True)
    rows, more = database.read(deliveries.page, hook, 2, second)
    assert ([row.id for row in rows], more) == ([first], False)
    rows, _ = database.read(deliveries.page, hook, 9, None, ["delivered"])
    assert [row.id for row in rows] == [first]
    assert database.read(deliveries.page, webhook(database, "bert"), 9)[0] == []
