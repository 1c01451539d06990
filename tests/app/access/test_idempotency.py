"""One effect per key, on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.access import idempotency, keys
from app.access.idempotency import IdempotentRequest, IdempotentResponse
from app.db.session import Database
from app.db.tables import IdempotencyRow, KeyRow, now
from app.errors import IdempotencyKeyInUse, IdempotencyKeyReused, ServiceOverloaded


def make(session: Session, name: str, digest: str = "d", owner: str = "anna") -> IdempotentResponse:
    def effect() -> tuple[int, dict[str, Any]]:
        row, _ = keys.create(session, owner, name, ["read"])
        return 201, {"id": row.id}

    return idempotency.run_once(session, IdempotentRequest(owner, "key-1", digest), effect)


def effects(database: Database) -> int:
    return database.run(lambda session: session.scalar(select(func.count()).select_from(KeyRow)) or 0)


def test_the_second_call_repeats_the_first_answer(database: Database) -> None:
    first = database.run(make, "one")
    second = database.run(make, "one")
    assert (first.status, first.replayed) == (201, False)
    assert second == IdempotentResponse(201, first.body, replayed=True)
    assert effects(database) == 1


def test_concurrent_calls_have_one_effect(database: Database) -> None:
    start = threading.Barrier(6)

    def call(_: int) -> IdempotentResponse:
        start.wait()
        return database.run(make, "one")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(call, range(6)))
    assert effects(database) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 5
    assert len({answer.body["id"] for answer in answers}) == 1


def test_a_key_with_another_request_is_refused(database: Database) -> None:
    database.run(make, "one")
    with pytest.raises(IdempotencyKeyReused):
        database.run(make, "two", digest="other")
    assert effects(database) == 1


def test_owners_do_not_share_keys(database: Database) -> None:
    assert not database.run(make, "one").replayed
    assert not database.run(make, "one", owner="bert").replayed


def test_a_failed_effect_leaves_the_key_unused(database: Database) -> None:
    def refuse() -> tuple[int, dict[str, Any]]:
        raise ServiceOverloaded

    with pytest.raises(ServiceOverloaded):
        database.run(idempotency.run_once, IdempotentRequest("anna", "key-1", "d"), refuse)
    assert not database.run(make, "one").replayed


def test_a_first_call_that_takes_too_long_is_said_to_be_in_use(postgres: Any) -> None:
    name = "test_key_in_use"
    database = Database(postgres.create(name) + "&options=-clock_timeout%3D200ms")
    try:
        with database.begin() as session:
            make(session, "one")
            with pytest.raises(IdempotencyKeyInUse):
                database.run(make, "one")
    finally:
        database.close()
        postgres.drop(name)


def test_answers_are_kept_for_a_day(database: Database) -> None:
    database.run(make, "one")
    assert database.run(idempotency.purge) == 0
    database.run(lambda session: session.execute(update(IdempotencyRow).values(created_at=now() - 86_401)))
    assert database.run(idempotency.purge) == 1
    assert not database.run(make, "one").replayed
