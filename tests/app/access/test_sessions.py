"""Sessions and links, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.access import credentials, keys, sessions
from app.access.keys import ValidKey
from app.access.tokens import parse_credential
from app.db.session import Database
from app.db.tables import KeyRow, SessionLinkRow, SessionRow, now
from app.errors import DatabaseUnavailable, Unauthenticated

HOUR = 3600.0


def make_key(database: Database, **options: Any) -> ValidKey:
    return database.read(keys.authenticate, database.run(keys.create, "anna", "laptop", ["read"], **options)[1])


def change(database: Database, row: type[KeyRow | SessionRow | SessionLinkRow], **values: Any) -> None:
    database.run(lambda session: session.execute(update(row).values(**values)))


def test_a_session_stands_for_its_key_until_it_ends(database: Database) -> None:
    key = make_key(database)
    row, token = database.run(sessions.create, key)
    found = database.read(credentials.authenticate, token)
    assert (found.row.id, found.credential.id) == (key.row.id, row.id)
    assert found.seconds == pytest.approx(sessions.IDLE_SECONDS, abs=60)
    database.run(sessions.end, row.id)
    database.run(sessions.end, row.id)
    with pytest.raises(Unauthenticated):
        database.read(credentials.authenticate, token)


def revoke(database: Database, key: ValidKey) -> None:
    database.run(keys.revoke, "anna", key.row.id)


def expire(database: Database, key: ValidKey) -> None:
    change(database, KeyRow, expires_at=now() - 1)


def rotate(database: Database, key: ValidKey) -> None:
    database.run(keys.rotate, "anna", key.row.id, 0.0)


def grow_old(database: Database, key: ValidKey) -> None:
    change(database, SessionRow, expires_at=now() - 1)
    change(database, SessionLinkRow, expires_at=now() - 1)


ENDINGS = [revoke, expire, rotate, grow_old]


@pytest.mark.parametrize("ending", [*ENDINGS, "unused"])
def test_what_ends_a_session(database: Database, ending: Callable[[Database, ValidKey], None] | str) -> None:
    key = make_key(database)
    _, token = database.run(sessions.create, key)
    _, other = database.run(sessions.create, make_key(database))
    mine, others = parse_credential(token), parse_credential(other)
    assert mine is not None
    assert others is not None
    assert database.read(credentials.invalid_credentials, {mine, others, key.credential}) == set()
    if isinstance(ending, str):
        change(database, SessionRow, last_used_at=now() - sessions.IDLE_SECONDS - 1)
    else:
        ending(database, key)
    with pytest.raises(Unauthenticated):
        database.read(credentials.authenticate, token)
    invalid = database.read(credentials.invalid_credentials, {mine, others, key.credential})
    assert mine in invalid
    assert (others in invalid) == (ending in (expire, grow_old, "unused"))  # which happened to all rows
    assert (key.credential in invalid) == (ending in (revoke, expire, rotate))


def test_a_session_lives_through_the_grace_of_a_rotation(database: Database) -> None:
    key = make_key(database)
    _, token = database.run(sessions.create, key)
    database.run(keys.rotate, "anna", key.row.id, HOUR)
    assert database.read(credentials.authenticate, token).seconds == pytest.approx(HOUR, abs=60)


@pytest.mark.parametrize("edit", [lambda token: token[:-1], lambda token: token + "x", lambda token: "gws_x_y"])
def test_only_the_whole_token_opens(database: Database, edit: Callable[[str], str]) -> None:
    _, token = database.run(sessions.create, make_key(database))
    with pytest.raises(Unauthenticated):
        database.read(credentials.authenticate, edit(token))


def test_no_secret_is_stored(database: Database) -> None:
    key = make_key(database)
    made = (database.run(sessions.create, key), database.run(sessions.create_link, key.credential))
    for row, token in made:
        stored = str({column.name: getattr(row, column.name) for column in row.__table__.columns})
        assert token.split("_", 2)[2] not in stored
        assert sessions.csrf_token(token) not in stored


def test_use_keeps_a_session_open(database: Database) -> None:
    row, token = database.run(sessions.create, make_key(database))
    change(database, SessionRow, last_used_at=now() - HOUR)
    before = database.read(sessions.find, row.id)[2]
    database.run(credentials.record_use, [row.id])
    assert database.read(sessions.find, row.id)[2] == pytest.approx(before + HOUR, abs=60)
    assert database.read(credentials.authenticate, token).row.last_used_at is None  # that is of the key itself


def test_a_link_opens_once(database: Database) -> None:
    key = make_key(database)
    _, token = database.run(sessions.create_link, key.credential)
    with pytest.raises(Unauthenticated, match="used before"):
        database.run(sessions.open_link, token[:-1])
    assert database.run(sessions.open_link, token).row.id == key.row.id
    with pytest.raises(Unauthenticated, match="used before"):
        database.run(sessions.open_link, token)


def test_of_requests_at_once_one_gets_the_link(database: Database) -> None:
    _, token = database.run(sessions.create_link, make_key(database).credential)

    def attempt(_: int) -> bool:
        try:
            database.run(sessions.open_link, token)
        except (Unauthenticated, DatabaseUnavailable):
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == 1


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_ends_a_link(database: Database, ending: Callable[[Database, ValidKey], None]) -> None:
    key = make_key(database)
    _, token = database.run(sessions.create_link, key.credential)
    ending(database, key)
    with pytest.raises(Unauthenticated):
        database.run(sessions.open_link, token)


def test_a_session_makes_links_for_its_key(database: Database) -> None:
    """They end with the secret that the session was opened with, too."""
    key = make_key(database)
    _, token = database.run(sessions.create, key)
    credential = database.read(credentials.authenticate, token).credential
    links = [database.run(sessions.create_link, credential)[1] for _ in range(2)]
    assert database.run(sessions.open_link, links[0]).credential == key.credential
    rotate(database, key)
    with pytest.raises(Unauthenticated):
        database.run(sessions.open_link, links[1])


def test_what_has_ended_is_removed(database: Database) -> None:
    key = make_key(database)
    rows = [database.run(sessions.create, key)[0] for _ in range(3)]
    database.run(sessions.create_link, key.credential)
    assert database.run(sessions.purge) == 0
    old = {rows[0].id: {"expires_at": now() - 1}, rows[1].id: {"last_used_at": now() - sessions.IDLE_SECONDS - 1}}
    for row_id, values in old.items():
        aged = update(SessionRow).where(SessionRow.id == row_id).values(**values)
        database.run(lambda session, statement=aged: session.execute(statement))
    change(database, SessionLinkRow, expires_at=now() - 1)
    assert database.run(sessions.purge) == 3
    assert database.read(lambda session: session.scalars(select(SessionRow.id)).all()) == [rows[2].id]
    assert database.read(lambda session: session.scalar(select(func.count()).select_from(SessionLinkRow))) == 0
