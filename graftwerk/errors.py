"""Exceptions of the client.

GraftwerkClientError
├── AddressNotConfigured  the service's address is not configured
├── Unreachable           the service did not respond, even after retries
├── WaitTimeout           the job did not end within the timeout
├── NoSuchFile            the job has no such checkpoint, or the checkpoint no such file
├── MissingPackage        an optional package, such as pandas, is not installed
├── InvalidData           files or names that cannot be a data set
├── CannotExpress         a module that the language cannot express; lists every line concerned
├── NotVerified           a webhook message without a valid signature, or too old
├── CorruptDownload       the SHA-256 of a downloaded file differs from the service's
└── ApiStatusError        the service responded with an error (RFC 9457)
    ├── InvalidRequest        400, 413, 415, 422: the request has problems, each with a JSON Pointer
    ├── AccessDenied          401, 403: the key is missing, invalid, or lacks the scope
    ├── NotFound              404: no such object, or it belongs to another owner
    ├── Conflict              409: the object's state forbids the request
    └── ServerError           429 and 5xx: the service could not complete the request
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

MAX_DETAIL_CHARACTERS = 300  # of a response that is not a problem document; enough to recognise a proxy


class GraftwerkClientError(Exception):
    """Base class of the client's exceptions."""


class AddressNotConfigured(GraftwerkClientError):
    """The service's address is not configured: start one with `graftwerk up`, or set GRAFTWERK_URL."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class Unreachable(GraftwerkClientError):
    """The service did not respond."""


class WaitTimeout(GraftwerkClientError):
    """The job did not end within the timeout."""


class NoSuchFile(GraftwerkClientError, LookupError):
    """The job has no such checkpoint, or the checkpoint no such file."""


class MissingPackage(GraftwerkClientError, ImportError):
    """An optional package is not installed; the message says how to install it."""

    def __init__(self, package: str, extra: str = "") -> None:
        super().__init__(f"{package} is not installed: pip install 'graftwerk[{extra or package}]'")


class InvalidData(GraftwerkClientError, ValueError):
    """The files or names given cannot be a data set."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """An operation that the language cannot express, and the source line that calls it."""

    node: str  # name in torch.fx, or the module's path
    file: str  # empty if no line of user code calls it
    line: int
    source: str  # the line itself
    detail: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file else "the module"
        shown = f"\n    {self.source}" if self.source else ""
        return f"{place}: {self.node}: {self.detail}{shown}" + (f"\n    hint: {self.hint}" if self.hint else "")


class CannotExpress(GraftwerkClientError, ValueError):
    """The module uses operations that the language cannot express; `obstacles` lists them all."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        self.obstacles = tuple(obstacles)
        count = len(self.obstacles)
        head = f"{count} line{'s' if count != 1 else ''} cannot be expressed"
        super().__init__("\n".join([head, *(f"  {obstacle}" for obstacle in self.obstacles)]))


class NotVerified(GraftwerkClientError, ValueError):
    """A webhook message whose signature or timestamp is not valid."""


class CorruptDownload(GraftwerkClientError):
    """The SHA-256 of a downloaded file differs from the service's."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a request."""

    pointer: str  # JSON Pointer into the document sent; empty for the document itself
    code: str
    detail: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.detail}" + (f"\n    hint: {self.hint}" if self.hint else "")


class ApiStatusError(GraftwerkClientError):
    """The service responded with an error status."""

    def __init__(self, status: int, document: dict[str, Any], request: str = "") -> None:
        self.status = status
        self.document = document
        self.code = str(document.get("code", ""))
        self.title = str(document.get("title", ""))
        self.detail = str(document.get("detail") or self.title or f"HTTP {status}")
        self.request_id = str(document.get("request_id", ""))
        self.errors = tuple(parse_problem(item) for item in document.get("errors", ()) if isinstance(item, dict))
        self.request = request
        super().__init__(self.detail)

    def __str__(self) -> str:
        head = f"{self.detail} ({self.status}{' ' + self.code if self.code else ''})"
        return "\n".join([head, *(f"  {problem}" for problem in self.errors)])


class InvalidRequest(ApiStatusError):
    """The request has problems; `errors` lists them."""


class AccessDenied(ApiStatusError):
    """The key is missing, invalid, or lacks the scope."""


class NotFound(ApiStatusError):
    """The object does not exist."""


class Conflict(ApiStatusError):
    """The object's state forbids the request."""


class ServerError(ApiStatusError):
    """The service could not complete the request."""


_BY_STATUS: dict[int, type[ApiStatusError]] = {
    400: InvalidRequest,
    401: AccessDenied,
    403: AccessDenied,
    404: NotFound,
    409: Conflict,
    413: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    429: ServerError,
}


def error_from_response(response: httpx.Response) -> ApiStatusError:
    """Return the exception for an unsuccessful response whose body has been read."""
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        text = response.text.strip()[:MAX_DETAIL_CHARACTERS]
        document = {"detail": text or response.reason_phrase or f"HTTP {response.status_code}"}
    kind = _BY_STATUS.get(response.status_code, ServerError if response.status_code >= 500 else ApiStatusError)
    return kind(response.status_code, document, f"{response.request.method} {response.request.url.path}")


def parse_problem(item: Mapping[str, Any]) -> Problem:
    """Return a problem of the service's JSON."""
    return Problem(*(str(item.get(name, "")) for name in ("pointer", "code", "detail", "hint")))
