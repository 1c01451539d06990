"""What is around every request."""

import asyncio
import re
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.middleware import RequestMiddleware
from tests.app.api.client import Api

OURS = re.compile(r"req_[0-9a-f]{32}")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.mark.parametrize("path", ["/livez", "/v1/jobs", "/nowhere"])
def test_every_answer_has_an_id(api: Api, path: str) -> None:
    assert OURS.fullmatch(api.client(None).get(path).headers["x-request-id"])


@pytest.mark.parametrize("request_id", ["a", "0199-ab_c.d", "x" * 64])
def test_a_harmless_id_is_kept(api: Api, request_id: str) -> None:
    response = api.client(None).get("/v1/jobs", headers={"X-Request-ID": request_id})
    assert response.headers["x-request-id"] == request_id == response.json()["request_id"]


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 65, "a\r\nSet-Cookie: b", "é", '"', "a\n"])
def test_any_other_is_not(api: Api, request_id: str) -> None:
    response = api.client(None).get("/v1/jobs", headers={"X-Request-ID": request_id.encode()})
    assert OURS.fullmatch(response.headers["x-request-id"])


def test_a_request_is_logged_with_its_id(api: Api) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        api.client(None).get("/v1/jobs", params={"name": "gw_a_secret"}, headers={"X-Request-ID": "mine"})
        api.client(None).get("/livez")
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["request_id"], line["method"], line["path"], line["status"]) == ("mine", "GET", "/v1/jobs", 401)
    assert "secret" not in str(line)


SCOPE: dict[str, Any] = {"type": "http", "method": "PUT", "path": "/", "headers": []}


def call(app: Any) -> tuple[list[dict[str, Any]], str]:
    """Send a request whose client hangs up at once through the envelope; returns what was sent, and the figures."""
    registry, sent = CollectorRegistry(), []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    envelope = RequestMiddleware(app, registry, lambda request, error: Response(str(error), 500))
    try:
        asyncio.run(envelope(dict(SCOPE), receive, send))
    finally:
        figures = {sample.labels["status"] for metric in registry.collect() for sample in metric.samples}
    return sent, "".join(figures)


def test_a_client_that_hangs_up_is_no_mistake() -> None:
    async def reads(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    with structlog.testing.capture_logs() as lines:
        assert call(reads) == ([], "499")
    assert [line["event"] for line in lines] == ["request"]


def test_a_mistake_before_the_answer_is_answered() -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("no")

    sent, status = call(breaks)
    assert status == "500"
    assert sent[1]["body"] == b"no"
    assert (b"x-content-type-options", b"nosniff") in sent[0]["headers"]


def test_a_mistake_after_its_beginning_breaks_the_connection() -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError("no")

    with pytest.raises(ZeroDivisionError):
        call(breaks)
