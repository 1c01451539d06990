"""`job.show()` in a real shell of IPython, whose outputs are captured."""

import atexit
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from graftwerk.errors import GraftwerkClientError, MissingPackage
from graftwerk.jobs import live
from tests.graftwerk.client_kinds import ClientKind
from tests.graftwerk.http.test_stream import DONE, events, message
from tests.graftwerk.scripted_transport import job_document

SERIES = {"train/<i>loss": {"step": [1, 2], "min": [1, 0.5], "max": [1, 0.5], "last": [1, 0.5]}}
CURVES = {"series": SERIES}


@pytest.fixture
def outputs(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What a notebook would show; each output is a dictionary with `data` by media type and `update`."""
    pytest.importorskip("IPython")
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    atexit.unregister(shell.atexit_operations)  # which would be done after the last line of the tests
    publisher = CapturingDisplayPublisher(shell=shell)
    monkeypatch.setattr(shell, "display_pub", publisher)
    shell.display_formatter.active_types = shell.display_formatter.format_types
    yield publisher.outputs
    InteractiveShell.clear_instance()


def test_a_job_is_shown_until_it_has_ended(
    api: ClientKind, outputs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "INTERVAL_SECONDS", 0.0)
    running, ended = job_document(status="running"), job_document(status="succeeded")
    stream = events(message(1, "phase", phase="training"), message(2, "metrics"), DONE)
    job, script = api.job(CURVES, stream, running, CURVES, running, CURVES, ended, CURVES, status="queued")
    assert job.show(["train/loss"], x="elapsed") is None
    assert [output.get("update", False) for output in outputs] == [False, True, True, True]
    assert len({output["transient"]["display_id"] for output in outputs}) == 1
    pages = [output["data"]["text/html"] for output in outputs]
    assert ["queued" in page for page in pages] == [True, False, False, False]
    assert "succeeded" in pages[-1]
    assert all("<svg" in page and "<i>loss" not in page and "&lt;i&gt;loss" in page for page in pages)
    assert script.requests[0].url.params["names"] == "train/loss"
    assert script.requests[0].url.params["x"] == "elapsed"


def test_a_job_that_has_ended_is_shown_once(api: ClientKind, outputs: list[dict[str, Any]]) -> None:
    job, script = api.job({"series": {}}, status="succeeded")
    job.show()
    assert len(outputs) == len(script.requests) == 1
    assert "<svg" not in outputs[0]["data"]["text/html"]


def test_events_in_quick_succession_are_drawn_once(api: ClientKind, outputs: list[dict[str, Any]]) -> None:
    stream = events(*(message(n, "metrics") for n in range(1, 40)), DONE)
    job, _ = api.job(CURVES, stream, job_document(status="succeeded"), CURVES, status="running")
    job.show()
    assert len(outputs) == 2


def test_interrupting_only_ends_the_view(outputs: list[dict[str, Any]]) -> None:
    from tests.graftwerk.client_kinds import BlockingKind

    def interrupt(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    job, script = BlockingKind().job(CURVES, interrupt, status="running")
    job.show()
    assert len(outputs) == 1
    assert {request.method for request in script.requests} == {"GET"}


def test_outside_of_a_notebook(api: ClientKind) -> None:
    pytest.importorskip("IPython")
    job, _ = api.job(CURVES)
    with pytest.raises(GraftwerkClientError, match="graftwerk plot"):
        job.show()


def test_without_ipython(api: ClientKind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "IPython", None)
    job, _ = api.job(CURVES)
    with pytest.raises(MissingPackage, match=r"pip install 'graftwerk\[jupyter\]'"):
        job.show()
