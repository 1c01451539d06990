"""Keys on the command line."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.graftwerk.cli.conftest import Run


def test_a_new_key_is_shown_once_and_alone_on_stdout(run: Run) -> None:
    made = {"id": "key_1", "name": "ci", "scopes": ["read"], "token": "gw_1_secret", "revoked_at": None}
    result, script = run("keys", "create", "ci", "--scopes", "read", answers=(made,))
    assert result.stdout == "gw_1_secret\n"
    assert json.loads(script.requests[0].content) == {"name": "ci", "scopes": ["read"]}


KEY = {"id": "key_1", "name": "ci", "scopes": ["read"], "revoked_at": None}


def test_a_key_is_made_to_expire_and_with_limits(run: Run) -> None:
    words = ("--expires", "30d", "--limit", "running_jobs=2", "--limit", "requests=5/second")
    _, script = run("keys", "create", "ci", *words, answers=(KEY | {"token": "gw_1_secret"},))
    sent = json.loads(script.requests[0].content)
    assert sent["limits"] == {"running_jobs": 2, "requests": "5/second"}
    left = datetime.fromisoformat(sent["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)


def test_a_key_is_changed_and_rotated(run: Run) -> None:
    result, script = run("keys", "change", "key_1", "--limit", "queued_jobs=null", answers=(KEY,))
    assert result.stdout == "key_1 is changed\n"
    assert (script.requests[0].method, json.loads(script.requests[0].content)) == (
        "PATCH",
        {"limits": {"queued_jobs": None}},
    )
    result, script = run("keys", "rotate", "key_1", "--grace", "2h", answers=(KEY | {"token": "gw_1_other"},))
    assert result.stdout == "gw_1_other\n"
    assert json.loads(script.requests[0].content) == {"grace_seconds": 7200.0}


@pytest.mark.parametrize(
    "words",
    [
        ("create", "x", "--expires", "soon"),
        ("create", "x", "--limit", "running_jobs"),
        ("rotate", "k", "--grace", "-1h"),
    ],
)
def test_a_key_s_options_are_checked_here(run: Run, words: tuple[str, ...]) -> None:
    result, script = run("keys", *words)
    assert (result.exit_code, script.requests) == (2, [])


def test_keys_tell_their_state(run: Run) -> None:
    past, future = "2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"
    listed = [KEY, KEY | {"revoked_at": past}, KEY | {"expires_at": past}, KEY | {"expires_at": future}]
    result, _ = run("keys", "ls", answers=({"items": listed, "has_more": False},))
    states = [line.split()[2] for line in result.stdout.splitlines()[1:]]
    assert states == ["valid", "revoked", "expired", "until"]
