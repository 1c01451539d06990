"""Sends one message: a single POST within a time limit, to the addresses that were checked; no redirects."""

import ssl
import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore

from app.webhooks.deliveries import DeliveryResult
from app.webhooks.targets import DEFAULT_PORTS, Target

TIMEOUT_SECONDS = 15.0  # for everything: to connect, to shake hands, to send, to be answered
CONNECT_SECONDS = 5.0
MAX_RESPONSE_BYTES = 1 << 16  # of a response, which is discarded


def post(
    target: Target,
    headers: Mapping[str, str],
    body: str,
    *,
    seconds: float = TIMEOUT_SECONDS,
    tls: ssl.SSLContext | None = None,
) -> DeliveryResult:
    """Send a message and return the outcome, which holds nothing of the response's body. Never raises."""
    began = time.monotonic()

    def ended(status: int | None, error: str = "", detail: str = "", retry_after: float = 0.0) -> DeliveryResult:
        return DeliveryResult(status, time.monotonic() - began, error, detail[:200], retry_after)

    shown = f"[{target.host}]" if ":" in target.host else target.host
    host = shown if target.port == DEFAULT_PORTS[target.scheme] else f"{shown}:{target.port}"
    sent = {"Host": host, "Content-Type": "application/json", "User-Agent": "Graftwerk-Webhooks", **headers}
    url = httpcore.URL(scheme=target.scheme, host=shown, port=target.port, target=target.path)
    try:
        with (
            httpcore.ConnectionPool(ssl_context=tls, network_backend=_PinnedBackend(target, began + seconds)) as pool,
            pool.stream("POST", url, headers=list(sent.items()), content=body.encode()) as response,
        ):
            _drain(response.iter_stream())
            status = int(response.status)
            retry_after = {name.lower(): value for name, value in response.headers}.get(b"retry-after", b"")
    except httpcore.TimeoutException:
        return ended(None, "timeout", f"no answer within {seconds:g} s")
    except httpcore.ConnectError as error:
        tls_failed = isinstance(error.__context__, ssl.SSLError)
        return ended(None, "tls_failed" if tls_failed else "not_connected", str(error))
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        return ended(None, "broken_answer", f"{type(error).__name__}: {error}")
    if 200 <= status < 300:
        return ended(status)
    if 300 <= status < 400:
        return ended(status, "redirect", "redirects are not followed: give the final address")
    return ended(
        status, "refused", f"the receiver answered {status}", _parse_retry_after(retry_after.decode("latin-1"))
    )


def _drain(pieces: Iterable[bytes]) -> None:
    """Read a response to its end, or to the limit."""
    count = 0
    for piece in pieces:
        count += len(piece)
        if count > MAX_RESPONSE_BYTES:
            return


def _parse_retry_after(retry_after: str) -> float:
    """Return the seconds of a Retry-After header; 0 if it is missing or cannot be parsed."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


class _PinnedBackend(httpcore.NetworkBackend):
    """Connects to the target's checked addresses, whatever its name resolves to now, until a deadline."""

    def __init__(self, target: Target, until: float) -> None:
        self._addresses, self._until = target.addresses, until

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that accepts."""
        for position, address in enumerate(self._addresses, 1):
            left = min(CONNECT_SECONDS, _remaining_seconds(self._until))
            try:
                return _DeadlineStream(httpcore.SyncBackend().connect_tcp(address, port, timeout=left), self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(self._addresses):
                    raise
        raise httpcore.ConnectError("no address")


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose every wait ends at one deadline, so that a slow receiver gains no time."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream, self._until = stream, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read the bytes received."""
        return self._stream.read(max_bytes, _remaining_seconds(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        self._stream.write(buffer, _remaining_seconds(self._until))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Start TLS; the certificate must match the name, not the address."""
        return _DeadlineStream(
            self._stream.start_tls(ssl_context, server_hostname, _remaining_seconds(self._until)), self._until
        )

    def get_extra_info(self, info: str) -> Any:
        """Return information about the connection."""
        return self._stream.get_extra_info(info)


def _remaining_seconds(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time is up")
    return left
