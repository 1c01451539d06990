"""API keys, on both databases."""

import pytest

from app.access import keys
from app.db.session import Database
from app.errors import InvalidInput, NotFound, Unauthenticated


def test_a_key_opens_until_it_is_revoked(database: Database) -> None:
    row, token = database.run(keys.create, "anna", "laptop", ["write", "read"])
    assert token.startswith(f"gw_{row.id.removeprefix('key_')}_")
    found = database.run(keys.authenticate, token).row
    assert (found.id, found.owner, found.scopes) == (row.id, "anna", ["read", "write"])
    revoked = database.run(keys.revoke, "anna", row.id)
    assert revoked.revoked_at == pytest.approx(row.created_at, abs=60)
    assert database.run(keys.revoke, "anna", row.id).revoked_at == revoked.revoked_at
    with pytest.raises(Unauthenticated):
        database.run(keys.authenticate, token)


def test_only_the_token_opens(database: Database) -> None:
    row, token = database.run(keys.create, "anna", "one", ["read"])
    _, other = database.run(keys.create, "anna", "two", ["read"])
    key_id, secret = token.removeprefix("gw_").split("_", 1)
    wrong = (
        "",
        "gw",
        "gw_",
        f"gw_{key_id}",
        f"gw_{key_id}_",
        f"gw_{key_id}_{secret}x",
        f"gw_{key_id}_{secret[:-1]}",
        f"gw_{key_id}_{other.split('_', 2)[2]}",
        f"gx_{key_id}_{secret}",
        f"gw_{row.id}_{secret}",
        token.upper(),
        f"gw_{key_id}_{row.digest}",
        "gw_\x00_x",
        "gw_ä_x",
        f"gw_{key_id}_\udcff",
        f" {token}",
    )
    for attempt in wrong:
        with pytest.raises(Unauthenticated):
            database.run(keys.authenticate, attempt)


def test_the_secret_is_not_stored(database: Database) -> None:
    _, token = database.run(keys.create, "anna", "one", ["read"])
    row = database.run(keys.page, "anna", 10)[0][0]
    stored = str({column.name: getattr(row, column.name) for column in row.__table__.columns})
    assert token.split("_", 2)[2] not in stored


def test_keys_belong_to_their_owner(database: Database) -> None:
    anna, _ = database.run(keys.create, "anna", "one", ["read"])
    bert, _ = database.run(keys.create, "bert", "two", ["admin"])
    assert [row.id for row in database.run(keys.page, "anna", 10)[0]] == [anna.id]
    with pytest.raises(NotFound):
        database.run(keys.revoke, "anna", bert.id)


@pytest.mark.parametrize(
    ("scopes", "pointers"), [([], ["/scopes"]), (["read", "wirte", "all"], ["/scopes/1", "/scopes/2"])]
)
def test_scopes_are_checked(database: Database, scopes: list[str], pointers: list[str]) -> None:
    with pytest.raises(InvalidInput) as raised:
        database.run(keys.create, "anna", "one", scopes)
    assert [problem.pointer for problem in raised.value.problems] == pointers
    assert all(problem.hint for problem in raised.value.problems)
    assert database.run(keys.page, "anna", 10) == ([], False)
