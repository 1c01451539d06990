"""Keys that are known for a second: what that saves, and that no change of a key is missed."""

import asyncio
import hmac
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import event, update

from app.access import keys
from app.api.key_cache import KeyCache
from app.db.session import Database
from app.db.tables import KeyRow, now
from app.errors import Unauthenticated
from app.settings import Settings
from tests.app.api.client import assert_problem
from tests.app.api.conftest import StartApp

HOUR = 3600.0


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def cache(database: Database) -> KeyCache:
    return KeyCache(database, Settings(), max_age=HOUR)


def test_a_known_key_needs_no_database(database: Database, cache: KeyCache) -> None:
    row, token = database.run(keys.create, "anna", "laptop", ["read"], limits={"requests": "5/second"})
    assert cache.find(token) is None
    identity = cache.authenticate(token)
    assert (identity.owner, identity.key_id, identity.scopes) == ("anna", row.id, {"read"})
    assert identity.limits.requests == "5/second"
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert cache.find(token) is identity
    assert not statements


def test_a_key_is_asked_for_again_after_a_while(database: Database) -> None:
    cache = KeyCache(database, Settings(), max_age=0.0)
    _, token = database.run(keys.create, "anna", "laptop", ["read"])
    cache.authenticate(token)
    assert cache.find(token) is None


@pytest.mark.parametrize("change", [lambda token: token[:-1], lambda token: token + "x", lambda token: "gw_x_y"])
def test_only_the_token_that_was_sent_is_known(
    database: Database, cache: KeyCache, change: Callable[[str], str]
) -> None:
    _, token = database.run(keys.create, "anna", "laptop", ["read"])
    cache.authenticate(token)
    assert cache.find(change(token)) is None
    with pytest.raises(Unauthenticated):
        cache.authenticate(change(token))
    assert cache.find(token) is not None


def test_requests_that_come_together_share_a_read(
    database: Database, cache: KeyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not with those that came before a change: theirs may be what was true then."""
    row, token = database.run(keys.create, "anna", "laptop", ["read"])
    read, reads, revoked = database.read, [0], threading.Event()

    def wait_and_read(*given: object) -> object:
        reads[0] += 1
        found = read(*given)  # type: ignore[arg-type]
        revoked.wait(5)
        return found

    async def scene() -> list[object]:
        before = asyncio.gather(*(cache.identify(token) for _ in range(20)))
        while not reads[0]:
            await asyncio.sleep(0.01)
        database.run(keys.revoke, "anna", row.id)
        cache.forget(row.id)
        after = asyncio.create_task(cache.identify(token))
        while reads[0] < 2:
            await asyncio.sleep(0.01)
        revoked.set()
        assert {identity.key_id for identity in await before} == {row.id}
        return await asyncio.gather(after, return_exceptions=True)

    monkeypatch.setattr(database, "read", wait_and_read)
    (error,) = asyncio.run(scene())
    assert isinstance(error, Unauthenticated)
    assert reads == [2]
    assert cache.find(token) is None


def test_refusals_are_not_kept(database: Database, cache: KeyCache) -> None:
    for number in range(100):
        with pytest.raises(Unauthenticated):
            cache.authenticate(f"gw_guess{number}_x")
    assert not cache._keys


def test_secrets_are_compared_in_constant_time(
    database: Database, cache: KeyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = database.run(keys.create, "anna", "laptop", ["read"])
    cache.authenticate(token)
    compared: list[tuple[str, str]] = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *digests: not compared.append(digests))
    cache.find(token)
    assert len(compared) == 1


def test_a_key_is_not_known_for_longer_than_it_is_valid(database: Database, cache: KeyCache) -> None:
    row, token = database.run(keys.create, "anna", "laptop", ["read"])
    database.run(lambda session: session.execute(update(KeyRow).values(expires_at=now() + 0.0)))
    with pytest.raises(Unauthenticated):
        cache.authenticate(token)
    database.run(lambda session: session.execute(update(KeyRow).values(expires_at=now() + 60)))
    cache.authenticate(token)
    assert cache._keys[row.id].until <= time.monotonic() + 60
    assert database.read(keys.authenticate, token).seconds <= 60


def test_the_token_of_before_a_rotation_is_known_for_its_grace(database: Database, cache: KeyCache) -> None:
    row, old = database.run(keys.create, "anna", "laptop", ["read"])
    _, new = database.run(keys.rotate, "anna", row.id, 30.0)
    assert database.read(keys.authenticate, old).seconds == pytest.approx(30, abs=5)
    assert database.read(keys.authenticate, new).seconds == float("inf")


def test_what_was_read_before_a_change_is_not_kept(
    database: Database, cache: KeyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revocation between the reading of a key and its keeping: it must not be known afterwards."""
    row, token = database.run(keys.create, "anna", "laptop", ["read"])
    read = database.read

    def read_and_be_overtaken(*given: object) -> object:
        found = read(*given)  # type: ignore[arg-type]
        cache.forget(row.id)
        return found

    monkeypatch.setattr(database, "read", read_and_be_overtaken)
    cache.authenticate(token)
    assert cache.find(token) is None


@pytest.mark.parametrize("verb", ["revoke", "rotate", "expire", "limit"])
def test_a_change_of_this_process_holds_at_once(serve: StartApp, database: Database, verb: str) -> None:
    cache = KeyCache(database, Settings(), max_age=HOUR)
    api = serve(other={"key_cache": cache})
    admin = api.client("anna")
    made = admin.post("/v1/keys", json={"name": "x", "scopes": ["read"]}).json()
    client, path = api.client_with_token(made["token"]), f"/v1/keys/{made['id']}"
    assert client.get("/v1/jobs").status_code == 200
    assert cache.find(made["token"]) is not None
    if verb == "limit":
        admin("PATCH", path, json={"limits": {"requests": "1/hour"}}).raise_for_status()
        assert client.get("/v1/jobs").status_code == 200
        assert_problem(client.get("/v1/jobs"), 429, "rate_limited")
        return
    if verb == "revoke":
        admin.delete(path).raise_for_status()
    elif verb == "rotate":
        admin.post(f"{path}/rotate", json={"grace_seconds": 0}).raise_for_status()
    else:
        admin("PATCH", path, json={"expires_at": "2999-01-01T00:00:00Z"}).raise_for_status()
        assert cache.find(made["token"]) is None
        return
    assert_problem(client.get("/v1/jobs"), 401, "unauthenticated")
