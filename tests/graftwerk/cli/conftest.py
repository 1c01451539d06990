"""Commands against a script of answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from graftwerk import client
from graftwerk.cli.main import app
from tests.graftwerk.client_kinds import async_driver, blocking_driver
from tests.graftwerk.scripted_transport import URL, ScriptedTransport

Run = Callable[..., tuple[Result, ScriptedTransport]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    for name in ("GRAFTWERK_URL", "GRAFTWERK_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRAFTWERK_HOME", str(tmp_path))

    def invoke(*words: str, answers: tuple[Any, ...] = ()) -> tuple[Result, ScriptedTransport]:
        script = ScriptedTransport(*answers)
        monkeypatch.setattr(client, "BlockingDriver", lambda transport: blocking_driver(script, []))
        monkeypatch.setattr(client, "AsyncDriver", lambda transport: async_driver(script, []))
        return CliRunner().invoke(app, ["--url", URL, *words]), script

    return invoke
