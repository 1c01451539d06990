"""A client of a few bytes: what it sends is up to the test."""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Received:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


class Peer:
    """One connection."""

    def __init__(
        self, port: int, source: str, wrap: Callable[[socket.socket], socket.socket] = lambda plain: plain
    ) -> None:
        self.socket = wrap(socket.create_connection(("127.0.0.1", port), WAIT_SECONDS, source_address=(source, 0)))
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> bool:
        """Send bytes; return whether the server took them."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def send_endlessly(self, piece: bytes, most: int) -> int:
        """Send a piece again and again until the server takes no more; return how many bytes it took."""
        sent = 0
        while sent < most and self.send(piece):
            sent += len(piece)
        return sent

    def response(self, method: str = "GET") -> Received:
        """Return the next response."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
        return Received(status, headers, self._file.read(length))

    def line(self) -> bytes:
        """Return the next line."""
        return self._file.readline()

    def is_closed(self) -> bool:
        """Wait until the server has closed the connection, without a further byte."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True

    def read_slowly(self, pieces: int, size: int, pause: float) -> int:
        """Read some pieces with pauses; return how many bytes came."""
        received = 0
        for _ in range(pieces):
            time.sleep(pause)
            received += len(self._file.read(size))
        return received


def assert_problem(found: Received, status: int, code: str) -> None:
    """Check that a response is this problem document, and the last response."""
    assert (found.status, found.headers["content-type"]) == (status, "application/problem+json"), found
    document = found.json
    assert set(document) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert (document["status"], document["code"]) == (status, code)
    assert document["request_id"] == found.headers["x-request-id"]
    assert found.headers["connection"] == "close"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert ("retry-after" in found.headers) == (status == 503)


def wait_until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> bool:
    """Return whether a condition comes to hold."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
