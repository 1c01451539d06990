"""The middleware of every request: an id, a log line, a measurement, and security headers."""

import os
import re
import time
from collections.abc import Callable, Mapping

import structlog
from prometheus_client import CollectorRegistry, Histogram
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.lanes import close_request
from app.logs import bind

# On every answer, errors and downloads too. HSTS is left to the proxy: without TLS it says nothing.
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
CACHE_REVALIDATE = "private, no-cache"  # by the client alone, which asks whether it still holds: an answer with an ETag
CACHE_NO_STORE = "no-store"  # any other: what is private lies in no cache
_SECURITY_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_CACHE_REVALIDATE, _CACHE_NO_STORE = (
    (b"cache-control", value.encode()) for value in (CACHE_REVALIDATE, CACHE_NO_STORE)
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNLOGGED_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CLIENT_CLOSED_REQUEST = 499  # as nginx counts them; nobody is there to read an answer

_log = structlog.get_logger(__name__)


class RequestMiddleware:
    """ASGI middleware; measures into `registry` by method, route and status.

    `bug` returns the response to an unhandled exception: here, so that the response has the id too.
    """

    def __init__(
        self, app: ASGIApp, registry: CollectorRegistry, bug: Callable[[Request, Exception], Response]
    ) -> None:
        self._app, self._internal_error = app, bug
        self._seconds = Histogram(
            "graftwerk_http_seconds", "Time to the end of an answer.", ["method", "route", "status"], registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = _request_id(scope)
        began, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, scope)
            await send(message)

        with bind(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            except ClientDisconnect:
                status = status or _CLIENT_CLOSED_REQUEST
            except Exception as error:
                response = self._internal_error(Request(scope), error)
                if status:  # a part of the response is sent: only a broken connection shows that the rest is missing
                    raise
                await response(scope, receive, send_with_headers)
            finally:
                await close_request(scope)
                self._observe(scope, status, time.perf_counter() - began)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"  # labels are kept for ever
        self._seconds.labels(method, getattr(scope.get("route"), "path", "unknown"), status).observe(seconds)
        if scope["path"] not in _UNLOGGED_PATHS:
            ids = {name: value for name, value in scope.get("path_params", {}).items() if name.endswith("_id")}
            fields = {"method": scope["method"], "path": scope["path"], "status": status}
            _log.info("request", **fields, **ids, ms=round(1000 * seconds, 1))


def _request_id(scope: Scope) -> str:
    """Return the client's own id of the request, if it is a valid one, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(request_id := value.decode("latin-1")):
            return str(request_id)
    return f"req_{os.urandom(16).hex()}"


def _add_headers(message: Message, scope: Scope) -> None:
    """Add headers to the beginning of a response, but for those that it has."""
    headers: list[tuple[bytes, bytes]] = list(message["headers"])
    present = {name for name, _ in headers}
    headers.append((b"x-request-id", scope["request_id"].encode("latin-1")))
    if b"cache-control" not in present:
        headers.append(_CACHE_REVALIDATE if b"etag" in present else _CACHE_NO_STORE)
    headers += [header for header in _SECURITY_HEADERS if header[0] not in present]
    for name, value in scope.get("rate_limit", {}).items():
        if (lower := name.lower().encode("latin-1")) not in present:
            headers.append((lower, value.encode("latin-1")))
    message["headers"] = headers
