"""A client without a network: it calls the real application, in an event loop of its own thread."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI

from app.access import keys
from app.api.services import Services


class Client:
    """Sends requests with some headers; whatever the application raises is an answer."""

    def __init__(self, app: FastAPI, portal: BlockingPortal, **headers: str) -> None:
        self._portal, self.headers = portal, headers
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers, timeout=60)

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._portal.call(partial(self._http.request, method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self("POST", path, **options)

    def put(self, path: str, **options: Any) -> httpx.Response:
        return self("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self("DELETE", path, **options)

    def close(self) -> None:
        self._portal.call(self._http.aclose)


@dataclass
class Api:
    """The running application and the parts behind it."""

    app: FastAPI
    services: Services
    portal: BlockingPortal

    def client(self, owner: str | None = "anna", scopes: tuple[str, ...] = ("read", "write", "admin")) -> Client:
        """Return a client with a new key of the owner; for `None` without any."""
        if owner is None:
            return Client(self.app, self.portal)
        return self.client_with_token(self.services.db.run(keys.create, owner, "test", scopes)[1])

    def client_with_token(self, token: str) -> Client:
        """Return a client that sends this token."""
        return Client(self.app, self.portal, Authorization=f"Bearer {token}")


@contextmanager
def run_app(app: FastAPI, portal: BlockingPortal) -> Iterator[Api]:
    """Start the application as a server would, and stop it."""
    with portal.wrap_async_context_manager(app.router.lifespan_context(app)):
        yield Api(app, app.state.services, portal)


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is this problem, whole and traceable; returns the document."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert set(document) - {"partial_graph"} == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert (document["status"], document["code"]) == (status, code), document
    assert document["type"] == f"urn:graftwerk:problem:{code}"
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == response.headers["x-request-id"]
    for item in document["errors"]:
        assert set(item) == {"pointer", "code", "detail", "hint"}
        assert item["pointer"] == "" or item["pointer"].startswith("/")
    return document


def parse_sse_events(response: httpx.Response) -> list[tuple[str, str, Any]]:
    """Return (id, event, data) of every event in a stream that has ended."""
    found = []
    for block in response.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found
