"""HTTP with patience: what may be repeated is repeated, as the service asks."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from graftwerk.errors import Unreachable, problem_from

ATTEMPTS = 7
BUSY = frozenset({429, 502, 503, 504})
FIRST_PAUSE = 0.25  # seconds; doubled by every attempt
LONGEST_PAUSE = 8.0
LONGEST_OBEYED = 60.0  # a longer Retry-After is answered with the error instead
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


def pause_before(attempt: int, retry_after: str | None = None) -> float | None:
    """Return the seconds to wait before the attempt numbered `attempt` (from 1); `None` if that is too long to wait."""
    wanted = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)
    asked = _seconds(retry_after)
    if asked > LONGEST_OBEYED:
        return None
    return max(wanted, asked)


def _seconds(retry_after: str | None) -> float:
    if not retry_after:
        return 0.0
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0


class Transport:
    """Requests to one service. Safe to use from several threads, as `httpx.Client` is."""

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
        attempts: int = ATTEMPTS,
    ) -> None:
        headers = {"User-Agent": "graftwerk", "Accept": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self.url = url
        self.pause = pause
        self.attempts = attempts
        timeout = httpx.Timeout(60.0, connect=5.0)
        self.http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)

    def close(self) -> None:
        """Close every connection."""
        self.http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        repeatable: bool | None = None,
        seconds: float | None = None,
    ) -> httpx.Response:
        """Send a request and return the successful response, read; it may take so many `seconds` (default: 60).

        Repeated after a broken connection, 429, 502, 503, 504, and 409 while the same Idempotency-Key is being
        answered; never a POST without an Idempotency-Key, unless `repeatable` says that it does no harm twice.
        Raises `Unreachable`, or a kind of `Answered`.
        """
        sent = dict(headers or {})
        may_repeat = (method in REPEATABLE or "Idempotency-Key" in sent) if repeatable is None else repeatable
        wanted = {name: value for name, value in (params or {}).items() if value is not None}
        timeout = self.http.timeout if seconds is None else httpx.Timeout(seconds, connect=5.0)
        attempt = 0
        while True:
            attempt += 1
            last = attempt >= self.attempts or not may_repeat
            wait: float | None
            try:
                response = self.http.request(
                    method, path, params=wanted, headers=sent, json=json, content=content, timeout=timeout
                )
            except httpx.TransportError as error:
                if last:
                    raise Unreachable(self.unreachable(error)) from error
                wait = pause_before(attempt)
            else:
                if response.is_success or response.status_code == 304:
                    return response
                wait = pause_before(attempt, response.headers.get("Retry-After"))
                if last or not _passing(response) or wait is None:
                    raise problem_from(response)
            self.pause(wait or 0.0)

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the body of its response."""
        return self.request(method, path, **options).json()

    @contextmanager
    def stream(
        self, path: str, *, headers: Mapping[str, str], timeout: float | None = 60.0
    ) -> Iterator[httpx.Response]:
        """Open one GET whose body is read in pieces; one attempt. `timeout`: seconds between two pieces.

        Raises a kind of `Answered` for an error status, and httpx's own errors for a broken connection.
        """
        limits = httpx.Timeout(timeout, connect=5.0)
        with self.http.stream("GET", path, headers=dict(headers), timeout=limits) as response:
            if response.is_error:
                response.read()
                raise problem_from(response)
            yield response

    def unreachable(self, error: Exception) -> str:
        """Return a sentence about a connection that failed."""
        reason = str(error) or type(error).__name__
        return f"no answer from {self.url} ({reason}); is the service running? `graftwerk doctor` finds out"


def _passing(response: httpx.Response) -> bool:
    """Return whether the refusal will pass by itself."""
    if response.status_code in BUSY:
        return True
    return response.status_code == 409 and problem_from(response).code == "idempotency_key_in_use"
