"""What the server answers by itself, before a request has reached the application: problem documents as bytes."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus

from starlette.requests import Request

from app.api.http.problems import RETRY_SECONDS, problem_document, problem_response
from app.api.middleware import CACHE_NO_STORE, SECURITY_HEADERS


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection ends: a status of HTTP, a code for programs, and a sentence."""

    status: HTTPStatus
    code: str
    detail: str

    def because(self, cause: str) -> "Refusal":
        """Return the refusal with a cause in its sentence."""
        return replace(self, detail=f"{self.detail}: {cause}") if cause else self


MALFORMED = Refusal(HTTPStatus.BAD_REQUEST, "malformed_http", "this is not HTTP/1.1")
PIPELINED = Refusal(HTTPStatus.BAD_REQUEST, "too_many_pipelined", "too many requests wait on this connection")
HEAD_TIMEOUT = Refusal(HTTPStatus.REQUEST_TIMEOUT, "head_timeout", "the head of the request did not arrive in time")
BODY_TIMEOUT = Refusal(HTTPStatus.REQUEST_TIMEOUT, "body_timeout", "the body of the request stopped arriving")
LONG_REQUEST_LINE = Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, "uri_too_long", "the path with its query is too long")
LARGE_HEAD = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", "the header fields are too large or too many"
)
CONNECTIONS = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_connections", "too many connections are open")
ADDRESS = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "too_many_connections_of_address", "too many connections of this address are open"
)
REFUSALS = (
    MALFORMED, PIPELINED, HEAD_TIMEOUT, BODY_TIMEOUT, LONG_REQUEST_LINE, LARGE_HEAD, CONNECTIONS, ADDRESS,
)  # fmt: skip
SLOW_READER, DISPLACED, SILENT = "slow_reader", "displaced", "silent"  # connections that end without a word


class Refused(Exception):
    """Raised while a request is parsed."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.code)


def response_bytes(refusal: Refusal, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the whole response, after which the connection is closed."""
    request_id = f"req_{uuid.uuid4().hex}"
    request = Request({"type": "http", "request_id": request_id})
    retry = {"Retry-After": str(RETRY_SECONDS)} if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    response = problem_response(
        problem_document(request, refusal.status, refusal.code, refusal.detail),
        {**SECURITY_HEADERS, **retry, "Cache-Control": CACHE_NO_STORE, "X-Request-ID": request_id},
    )
    status_line = f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}\r\n".encode()
    fields = [*default_headers, *response.raw_headers, (b"connection", b"close")]
    return status_line + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n" + bytes(response.body)
