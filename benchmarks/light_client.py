"""HTTP clients that are light enough for a thousand in one process: HTTP/1.1 over asyncio, and nothing more."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

STATUS_LINE = b"HTTP/1.1 200"
LAST_CHUNK = b"\r\n0\r\n\r\n"
EVENT_MARK = b"\nid: "  # every event has a number


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Server:
    """Where a service listens, and the key to send."""

    host: str
    port: int
    token: str

    def head(self, method: str, path: str, headers: Mapping[str, str], length: int) -> bytes:
        """Return the head of a request."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", f"Authorization: Bearer {self.token}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if length or method != "GET":
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Client:
    """One connection that is kept, for one request at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request and return the answer. Raises `OSError` and `EOFError` if the connection breaks.

        One that was kept, and that the service has closed meanwhile, is replaced.
        """
        content = self._server.head(method, path, headers or {}, len(body)) + body
        if self._pair is not None:
            with suppress(ConnectionError, EOFError):
                return await self._exchange(content)
        return await self._exchange(content)

    async def _exchange(self, content: bytes) -> Answer:
        try:
            if self._pair is None:
                self._pair = await asyncio.open_connection(self._server.host, self._server.port, limit=1 << 20)
            reader, writer = self._pair
            writer.write(content)
            answer = await read_answer(reader)
        except BaseException:
            self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._pair is not None:
            self._pair[1].close()
        self._pair = None


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Read one response, with its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    status, headers = parse_head(head)
    if status in (204, 304):
        return Answer(status, headers, b"")
    if headers.get("transfer-encoding") == "chunked":
        pieces = []
        while length := int(await reader.readuntil(b"\r\n"), 16):
            pieces.append(await reader.readexactly(length))
            await reader.readexactly(2)
        await reader.readexactly(2)
        return Answer(status, headers, b"".join(pieces))
    return Answer(status, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the headers of a response's head."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split(" ", 2)[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}


@dataclass
class EventStream(asyncio.Protocol):
    """A stream of server-sent events whose events are counted, and not looked at."""

    server: Server
    path: str
    status: int = 0  # 0: no answer yet
    events: int = 0
    received: int = 0  # bytes
    opened_at: float = 0.0  # seconds of `time.monotonic`
    answered_at: float = 0.0
    is_closed: bool = False
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    _tail: bytes = b""  # in which a mark may have begun
    _transport: asyncio.Transport | None = None

    async def open(self) -> None:
        """Connect, and ask."""
        self.opened_at = time.monotonic()
        await asyncio.get_running_loop().create_connection(lambda: self, self.server.host, self.server.port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self.server.head("GET", self.path, {"Accept": "text/event-stream"}, 0))

    def data_received(self, data: bytes) -> None:
        """Count."""
        self.received += len(data)
        seen = self._tail + data
        if not self.status and len(seen) < len(STATUS_LINE):
            self._tail = seen
            return
        if not self.status:
            self.status = int(seen[9:12])
            self.answered_at = time.monotonic()
            self.answered.set()
        self.events += (self._tail[-len(EVENT_MARK) + 1 :] + data).count(EVENT_MARK)
        self._tail = seen[-len(LAST_CHUNK) + 1 :]
        if seen.endswith(LAST_CHUNK):  # the service keeps the connection
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end."""
        self.is_closed = True
        self.answered.set()

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()
