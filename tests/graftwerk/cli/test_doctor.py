import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from graftwerk import client
from graftwerk.checks import imports
from graftwerk.cli.main import app
from tests.graftwerk.client_kinds import blocking_driver
from tests.graftwerk.scripted_transport import URL, ScriptedTransport, problem_response

Look = Callable[..., tuple[int, dict[str, dict[str, str]]]]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Look:
    for name in [name for name in os.environ if name.startswith("GRAFTWERK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GRAFTWERK_HOME", str(home))
    monkeypatch.setattr(imports, "TRIALS", ())  # which take seconds, and have tests of their own

    def doctor(*answers: Any) -> tuple[int, dict[str, dict[str, str]]]:
        script = ScriptedTransport(*answers)
        monkeypatch.setattr(client, "BlockingDriver", lambda transport: blocking_driver(script, []))
        result = CliRunner().invoke(app, [*(["--url", URL] if answers else []), "doctor", "--json"])
        return result.exit_code, {finding["what"]: finding for finding in json.loads(result.stdout)}

    return doctor


READY = httpx.Response(200, json={"status": "ready"})
NO_JOBS = httpx.Response(200, json={"items": [], "has_more": False})


def workers(skew: float = 0.01, **states: str) -> httpx.Response:
    items = [
        {"name": name, "state": state, "queues": ["default"], "slots": 2, "free": 1} for name, state in states.items()
    ]
    return httpx.Response(200, json={"items": items, "has_more": False, "clock_skew_seconds": skew})


def test_all_is_well(look: Look) -> None:
    code, found = look(READY, NO_JOBS, workers(a="listening", b="stopped"))
    assert found["worker a"]["state"] == "ok"
    assert found["clock"]["state"] == "ok"
    assert "worker b" not in found
    assert code == 0
    assert {finding["state"] for finding in found.values()} <= {"ok", "warn"}
    assert found["key"]["state"] == "ok"


def test_without_a_service_it_says_how_to_start_one(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("GRAFTWERK_PORT", str(server.getsockname()[1]))
        code, found = look()
    assert code == 1
    assert "graftwerk up" in found["service"]["hint"]
    assert found["port"]["state"] == "fail"
    assert "--port" in found["port"]["hint"]


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        ((httpx.ConnectError("refused"),), "API"),
        ((READY, problem_response(401, "unauthenticated")), "key"),
        ((problem_response(503, "database_unavailable"), NO_JOBS, problem_response(403, "forbidden")), "readiness"),
    ],
)
def test_what_is_wrong_with_the_service(look: Look, answers: tuple[Any, ...], what: str) -> None:
    code, found = look(*answers)
    assert code == 1
    assert found[what]["state"] == "fail"
    assert found[what]["hint"]


def test_an_open_home_and_an_open_key(look: Look, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.chmod(0o755)
    (home / "key").write_text("gw_1")
    (home / "key").chmod(0o644)
    code, found = look(READY, NO_JOBS, workers())
    assert code == 1
    assert found["home"]["hint"] == f"chmod 700 {home}"
    assert found["key file"]["hint"] == f"chmod 600 {home / 'key'}"


def test_a_database_that_does_not_answer_is_told_without_its_password(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("GRAFTWERK_BROKER_URL", f"redis://:secret@127.0.0.1:{port}/0")
        assert look(READY, NO_JOBS, workers())[1]["broker"]["state"] == "ok"
    monkeypatch.setenv("GRAFTWERK_DATABASE_URL", f"postgresql+psycopg://me:secret@127.0.0.1:{port}/jobs")
    code, found = look(READY, NO_JOBS, workers())
    assert (code, found["database"]["state"], found["broker"]["state"]) == (1, "fail", "fail")
    assert "secret" not in str(found)


def test_workers_that_do_not_listen_and_clocks_that_differ(look: Look) -> None:
    _, found = look(READY, NO_JOBS, workers(-3.5, a="silent", b="deaf"))
    assert [found[name]["state"] for name in ("clock", "workers", "worker a", "worker b")] == ["warn"] * 4
    assert "-3.5 s" in found["clock"]["detail"]
    assert all(found[name]["hint"] for name in ("clock", "workers", "worker a", "worker b"))
