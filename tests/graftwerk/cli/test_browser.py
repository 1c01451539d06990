"""`graftwerk open`: the dashboard, signed in."""

import json
import webbrowser

import pytest

from tests.graftwerk.cli.conftest import Run

LINK = {"url": "http://service/sign-in#link=gwl_1_secret", "expires_at": "2026-01-01T00:10:00.000Z"}
JOB = {"id": "job_1", "name": "iris", "status": "running"}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not found.append(url))
    return found


def test_the_browser_is_opened_and_nothing_printed(run: Run, opened: list[str]) -> None:
    result, script = run("open", answers=(LINK,))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert opened == ["http://service/sign-in?next=/jobs#link=gwl_1_secret"]
    assert (script.requests[0].method, script.requests[0].url.path) == ("POST", "/v1/session/links")


def test_a_job_s_page(run: Run, opened: list[str]) -> None:
    result, _ = run("open", "job_1", "--print", answers=(JOB, LINK))
    assert result.stdout == "http://service/sign-in?next=/jobs/job_1#link=gwl_1_secret\n"
    assert opened == []


def test_without_a_browser_the_link_is_printed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    result, _ = run("open", answers=(LINK,))
    assert result.stdout.startswith("http://service/sign-in?next=/jobs#link=")


def test_without_authentication_no_token_is_needed(run: Run, opened: list[str]) -> None:
    result, _ = run("open", "job_1", "--json", answers=(JOB, {"url": "http://service/", "expires_at": None}))
    assert json.loads(result.stdout) == {"url": "http://service/jobs/job_1"}
