"""A service's answers without a service: a script of responses, and what was asked."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx

ScriptedResponse = dict[str, Any] | list[Any] | httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]
URL = "http://graftwerk.test"


class ScriptedTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
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
        if isinstance(answer, dict | list):
            return httpx.Response(200, json=answer)
        response = answer if isinstance(answer, httpx.Response) else answer(request)
        return httpx.Response(response.status_code, headers=response.headers, stream=response.stream)  # may come again

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


class ChunkedStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that arrives in pieces, and may break off."""

    def __init__(self, *pieces: bytes, broken: bool = False) -> None:
        self.pieces = pieces
        self.broken = broken
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.broken:
            raise httpx.ReadError("the connection broke")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.close()


def problem_response(status: int, code: str = "", **more: Any) -> httpx.Response:
    headers = {"Content-Type": "application/problem+json"} | more.pop("headers", {})
    document = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": f"it is {code}"} | more
    return httpx.Response(status, json=document, headers=headers)


def job_document(job_id: str = "job_1", status: str = "queued", **more: Any) -> dict[str, Any]:
    return {"id": job_id, "name": "digits", "status": status, "phase": "", "progress": {}, "error": None} | more
