"""Secrets of webhooks in the database: sealed, sealed anew with another key, and lost with it one by one."""

import pytest

from app.db.sealing import SEALED_PREFIX, Sealer
from app.db.session import Database
from app.db.tables import WebhookRow, now
from app.jobs.states import Status
from app.webhooks import repository
from app.webhooks.sender import WebhookSender
from app.webhooks.targets import TargetPolicy
from tests.app.api.job_factories import create_job_in_status
from tests.app.webhooks.factories import SEALER, create_webhook, get_webhook, list_messages, make_due, update_row
from tests.webhook_receiver import run_receiver

OPEN = TargetPolicy(http=True, private=True)
OTHER = "o" * 32
PLAIN = "whsec_cGxhaW4="


def stored(database: Database, hook: str) -> tuple[str, str | None]:
    row = get_webhook(database, hook)
    return row.secret, row.old_secret


def test_a_new_secret_and_a_rotated_one_are_sealed(database: Database) -> None:
    hook = create_webhook(database)
    first = stored(database, hook)[0]
    _, secret = database.run(repository.rotate, "anna", hook, SEALER)
    row = stored(database, hook)
    assert all(value is not None and value.startswith(SEALED_PREFIX) for value in row)
    assert SEALER.open(row[0]) == secret
    assert row[1] == first


def test_plain_secrets_of_an_older_version_are_sealed_when_a_worker_starts(database: Database) -> None:
    hook = create_webhook(database)
    update_row(database, WebhookRow, hook, secret=PLAIN, old_secret="whsec_b2xk", old_until=now() + 60)
    assert database.run(repository.reseal, SEALER) == (1, [])
    assert [SEALER.open(value or "") for value in stored(database, hook)] == [PLAIN, "whsec_b2xk"]
    assert all((value or "").startswith(SEALED_PREFIX) for value in stored(database, hook))
    assert database.run(repository.reseal, SEALER) == (0, [])
    update_row(database, WebhookRow, hook, old_until=now() - 1)
    database.run(repository.reseal, SEALER)
    assert stored(database, hook)[1] is None  # which signs no longer, and need not be kept


def test_a_new_key_takes_over_and_the_old_one_may_go(database: Database) -> None:
    hook = create_webhook(database)
    secret = SEALER.open(stored(database, hook)[0])
    assert database.run(repository.reseal, Sealer([OTHER, "k" * 32])) == (1, [])
    assert Sealer([OTHER]).open(stored(database, hook)[0]) == secret


@pytest.mark.parametrize("rotated", [False, True])
def test_a_lost_key_stops_only_the_webhooks_that_it_sealed(database: Database, rotated: bool) -> None:
    with run_receiver() as receiver:
        lost, found = (create_webhook(database, url=receiver.url) for _ in range(2))
        update_row(database, WebhookRow, lost, secret=Sealer([OTHER]).seal(PLAIN))
        assert database.run(repository.reseal, SEALER) == (0, [lost])
        if rotated:
            database.run(repository.rotate, "anna", lost, SEALER)
        create_job_in_status(database, Status.SUCCEEDED)
        sender = WebhookSender(database, OPEN, SEALER)
        while not all(row.attempts for hook in (lost, found) for row in list_messages(database, hook)):
            sender.run_round(0.05)
        (good,), (bad,) = list_messages(database, found), list_messages(database, lost)
        assert good.status == "delivered"
        assert (bad.status == "delivered") == rotated
        if not rotated:  # it waits: the key may come back
            assert bad.attempts[-1]["error"] == "secret_sealed"
            assert "GRAFTWERK_SECRET_KEY" in bad.attempts[-1]["detail"]
            make_due(database, bad.id)
            sender = WebhookSender(database, OPEN, Sealer(["k" * 32, OTHER]))
            while list_messages(database, lost)[0].status != "delivered":
                sender.run_round(0.05)
