"""HTTP requests with retries and backoff."""

import random
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from graftwerk.errors import ServerError, Unreachable, error_from_response
from graftwerk.http.drivers import TIMEOUT, Driver

MAX_ATTEMPTS = 7
RETRYABLE_STATUSES = frozenset({408, 429, 502, 503, 504})
INITIAL_BACKOFF_SECONDS = 0.25  # doubled by every attempt
MAX_BACKOFF_SECONDS = 8.0
MAX_RETRY_AFTER_SECONDS = 60.0  # after a longer Retry-After the error is raised at once
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})


def retry_delay(attempt: int, retry_after: str | None = None) -> float | None:
    """Return the seconds to wait after attempt number `attempt` (from 1); `None` if Retry-After is too long."""
    backoff = min(MAX_BACKOFF_SECONDS, INITIAL_BACKOFF_SECONDS * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)
    requested = _retry_after_seconds(retry_after)
    if requested > MAX_RETRY_AFTER_SECONDS:
        return None
    return max(backoff, requested)


def _retry_after_seconds(retry_after: str | None) -> float:
    if not retry_after:
        return 0.0
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0


class Transport:
    """Requests to a service, over a driver. As thread-safe as the driver's client: `httpx.Client` is."""

    def __init__(self, url: str, key: str | None, driver: Driver, *, attempts: int = MAX_ATTEMPTS) -> None:
        headers = {"User-Agent": "graftwerk", "Accept": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self.url = url
        self.driver = driver
        self.attempts = attempts
        driver.http.base_url = httpx.URL(url)
        driver.http.headers.update(headers)

    async def request(
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
        """Send a request and return the successful response, with its body read. `seconds`: timeout (default: 60).

        Retried after a connection error, 408, 429, 502, 503, 504, and 409 while a request with the same Idempotency-Key
        is in progress. A POST without Idempotency-Key is retried only if `repeatable`; see `create`. Raises
        `Unreachable` or an `ApiStatusError`.
        """
        all_headers = dict(headers or {})
        if repeatable is None:
            repeatable = method in IDEMPOTENT_METHODS or "Idempotency-Key" in all_headers
        query = {name: value for name, value in (params or {}).items() if value is not None}
        timeout = TIMEOUT if seconds is None else httpx.Timeout(seconds, connect=5.0)
        attempt = 0
        while True:
            attempt += 1
            last = attempt >= self.attempts or not repeatable
            wait: float | None
            try:
                request = self.driver.http.build_request(
                    method, path, params=query, headers=all_headers, json=json, content=content, timeout=timeout
                )
                async with aclosing(await self.driver.send(request)) as response:
                    await response.aread()
            except httpx.TransportError as error:
                if last:
                    raise Unreachable(self.unreachable_message(error)) from error
                wait = retry_delay(attempt)
            else:
                if response.is_success or response.status_code == 304:
                    return response
                wait = retry_delay(attempt, response.headers.get("Retry-After"))
                if last or not _is_retryable(response) or wait is None:
                    raise error_from_response(response)
            await self.driver.sleep(wait or 0.0)

    async def json(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the JSON of its response."""
        return (await self.request(method, path, **options)).json()

    async def create(
        self, path: str, *, key: str | None = None, headers: Mapping[str, str] | None = None, **body: Any
    ) -> Any:
        """POST what has its effect once, however often it is retried, and return the JSON of the response.

        `key`: an Idempotency-Key of the caller's own, under which another call repeats the same response.
        """
        all_headers = {**(headers or {}), "Idempotency-Key": key or str(uuid.uuid4())}
        return await self.json("POST", path, headers=all_headers, **body)

    @asynccontextmanager
    async def stream(
        self, path: str, *, params: Mapping[str, Any] | None = None, headers: Mapping[str, str], timeout: float = 60.0
    ) -> AsyncIterator[httpx.Response]:
        """Open a GET whose body is read in chunks, without retries. `timeout`: seconds between two chunks.

        Raises an `ApiStatusError` for an error status, and httpx's exceptions for connection errors.
        """
        limits = httpx.Timeout(timeout, connect=5.0)
        request = self.driver.http.build_request("GET", path, params=params, headers=dict(headers), timeout=limits)
        async with aclosing(await self.driver.send(request)) as response:
            if response.is_error:
                await response.aread()
                raise error_from_response(response)
            yield response

    async def close(self) -> None:
        """Close all connections."""
        await self.driver.close()

    def unreachable_message(self, error: Exception) -> str:
        """Return the message for a connection error."""
        reason = str(error) or type(error).__name__
        return f"no response from {self.url} ({reason}); is the service running? Run `graftwerk doctor`"


class Reconnection:
    """Pauses between the connections of a stream that breaks, and gives up after too many without progress."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._failures = 0

    def progress(self) -> None:
        """Count from zero again: something has arrived."""
        self._failures = 0

    async def pause(self, failure: Exception | None, what: str) -> None:
        """Sleep before the next connection. `failure`: why the last one ended, if not early.

        Raises `Unreachable` or the `ServerError` after too many failures.
        """
        self._failures += 1
        if self._failures >= self._transport.attempts:
            if isinstance(failure, ServerError):
                raise failure
            reason = failure or ConnectionError(f"{what} keeps ending early")
            raise Unreachable(self._transport.unreachable_message(reason)) from failure
        await self._transport.driver.sleep(retry_delay(self._failures) or 0.0)


def _is_retryable(response: httpx.Response) -> bool:
    """Return whether a retry may succeed."""
    if response.status_code in RETRYABLE_STATUSES:
        return True
    return response.status_code == 409 and error_from_response(response).code == "idempotency_key_in_use"
