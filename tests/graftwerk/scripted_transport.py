"""A service's answers without a service: a script of responses, and what was asked."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx

from graftwerk.http.transport import Transport

ScriptedResponse = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]
URL = "http://graftwerk.test"


class ScriptedTransport(httpx.BaseTransport):
    """Gives its answers one after the other, and remembers the requests."""

    def __init__(self, *answers: ScriptedResponse) -> None:
        self.responses = list(answers)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.responses.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)


class ChunkedStream(httpx.SyncByteStream):
    """A body that arrives in pieces, and may break off."""

    def __init__(self, *pieces: bytes, broken: bool = False) -> None:
        self.pieces = pieces
        self.broken = broken

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.broken:
            raise httpx.ReadError("the connection broke")


def transport_for(script: httpx.BaseTransport) -> tuple[Transport, list[float]]:
    """Return a transport that answers by the script, and the pauses it makes instead of waiting."""
    pauses: list[float] = []
    return Transport(URL, "gw_test", transport=script, pause=pauses.append), pauses


def problem_response(status: int, code: str = "", **more: Any) -> httpx.Response:
    headers = {"Content-Type": "application/problem+json"} | more.pop("headers", {})
    document = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": f"it is {code}"} | more
    return httpx.Response(status, json=document, headers=headers)


def job_document(job_id: str = "job_1", status: str = "queued", **more: Any) -> dict[str, Any]:
    return {"id": job_id, "name": "digits", "status": status, "phase": "", "progress": {}, "error": None} | more
