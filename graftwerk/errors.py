"""What can go wrong for a client.

GraftwerkClientError
├── NoAddress            nobody said where the service is
├── Unreachable          the service gave no answer, also after several tries
├── WaitedTooLong        the job did not end in the time given
├── NoSuchFile           the job has no such checkpoint, or the checkpoint no such file
├── NotData              a file that cannot be a data set
├── CannotExpress        a module that the language does not have; carries every line that stands in the way
├── NotVerified          a message that no webhook's secret has signed, or an old one
├── DamagedFile          a downloaded file does not have the SHA-256 that the service told
└── Answered             the service answered with a problem (RFC 9457)
    ├── InvalidRequest       400, 413, 422: what was sent has problems, each with a JSON Pointer
    ├── NotAllowed           401, 403: no valid key, or one without the scope
    ├── NotFound             404: no such object, or it belongs to somebody else
    ├── Conflict             409: the object's state forbids it
    └── ServiceTrouble       429 and 5xx: the service could not carry it out
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

MAX_DETAIL_CHARACTERS = 300  # characters of an answer that is no problem document, enough to recognise a proxy


class GraftwerkClientError(Exception):
    """Something went wrong between this client and the service."""


class AddressNotConfigured(GraftwerkClientError):
    """Nobody said where the service is: start one with `graftwerk up`, or set GRAFTWERK_URL."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class Unreachable(GraftwerkClientError):
    """The service gave no answer."""


class WaitTimeout(GraftwerkClientError):
    """The job did not end in the time given."""


class NoSuchFile(GraftwerkClientError, LookupError):
    """The job has no such checkpoint, or the checkpoint no such file."""


class InvalidData(GraftwerkClientError, ValueError):
    """A data set is one file, or one name from the service's tables."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One operation of a module that the language does not have, and the line that asks for it."""

    node: str  # torch.fx's name, or a module's path
    file: str  # empty where no line of the user's asks for it
    line: int
    source: str  # the line itself
    detail: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file else "the module"
        shown = f"\n    {self.source}" if self.source else ""
        return f"{place}: {self.node}: {self.detail}{shown}" + (f"\n    hint: {self.hint}" if self.hint else "")


class CannotExpress(GraftwerkClientError, ValueError):
    """The module does something that the language does not have."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        self.obstacles = tuple(obstacles)
        count = len(self.obstacles)
        head = f"{count} line{'s' if count != 1 else ''} cannot be expressed"
        super().__init__("\n".join([head, *(f"  {obstacle}" for obstacle in self.obstacles)]))


class NotVerified(GraftwerkClientError, ValueError):
    """A message that cannot be trusted."""


class CorruptDownload(GraftwerkClientError):
    """A downloaded file is not what the service has."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what was sent."""

    pointer: str  # JSON Pointer into the document sent; empty for the document itself
    code: str
    detail: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.detail}" + (f"\n    hint: {self.hint}" if self.hint else "")


class ApiStatusError(GraftwerkClientError):
    """The service answered with a problem."""

    def __init__(self, status: int, document: dict[str, Any], request: str = "") -> None:
        self.status = status
        self.document = document
        self.code = str(document.get("code", ""))
        self.title = str(document.get("title", ""))
        self.detail = str(document.get("detail") or self.title or f"HTTP {status}")
        self.request_id = str(document.get("request_id", ""))
        self.errors = tuple(_parse_problem(item) for item in document.get("errors", ()) if isinstance(item, dict))
        self.request = request
        super().__init__(self.detail)

    def __str__(self) -> str:
        head = f"{self.detail} ({self.status}{' ' + self.code if self.code else ''})"
        return "\n".join([head, *(f"  {problem}" for problem in self.errors)])


class InvalidRequest(ApiStatusError):
    """What was sent has problems."""


class AccessDenied(ApiStatusError):
    """The key is missing, not valid, or lacks the scope."""


class NotFound(ApiStatusError):
    """There is no such object."""


class Conflict(ApiStatusError):
    """The object's state forbids this."""


class ServerError(ApiStatusError):
    """The service could not carry it out."""


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
    """Return the error that an unsuccessful, already read response means."""
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        text = response.text.strip()[:MAX_DETAIL_CHARACTERS]
        document = {"detail": text or response.reason_phrase or f"HTTP {response.status_code}"}
    kind = _BY_STATUS.get(response.status_code, ServerError if response.status_code >= 500 else ApiStatusError)
    return kind(response.status_code, document, f"{response.request.method} {response.request.url.path}")


def _parse_problem(item: dict[str, Any]) -> Problem:
    return Problem(*(str(item.get(name, "")) for name in ("pointer", "code", "detail", "hint")))
