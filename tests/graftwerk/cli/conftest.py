"""Commands against a script of answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from graftwerk import client
from graftwerk.cli.main import app
from graftwerk.http.transport import Transport
from tests.graftwerk.scripted_transport import URL, ScriptedTransport

Run = Callable[..., tuple[Result, ScriptedTransport]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    for name in ("GRAFTWERK_URL", "GRAFTWERK_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRAFTWERK_HOME", str(tmp_path))

    def invoke(*words: str, answers: tuple[Any, ...] = ()) -> tuple[Result, ScriptedTransport]:
        replies = (
            httpx.Response(200, json=answer) if isinstance(answer, (dict, list)) else answer for answer in answers
        )
        script = ScriptedTransport(*replies)

        def transport(url: str, key: str | None, **_: Any) -> Transport:
            return Transport(url, key, transport=script, pause=lambda seconds: None)

        monkeypatch.setattr(client, "Transport", transport)
        return CliRunner().invoke(app, ["--url", URL, *words]), script

    return invoke
