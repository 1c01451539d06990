"""HTTP/1.1 on one connection: uvicorn's protocol on httptools, with limits that it does not have.

The parser gets no more bytes than may pass without result: a head, a piece of a body, or the end of a request. What
stands between results (names and values, line ends, extensions of chunks, trailers) is so bounded as a whole, whatever
it is. Limits of time need no timers: `ConnectionTable` looks at every connection once a second.
"""

import asyncio
import contextlib
import socket
from typing import Any

import httptools
from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.api.server import refusals
from app.api.server.connections import ConnectionTable
from app.api.server.limits import LINGER_BYTES, LINGER_SECONDS, MAX_PIPELINED, MIN_TAKEN
from app.api.server.refusals import Refusal, Refused

_UNSENT_BYTES = 1 << 17  # that the kernel takes ahead of a reader; more would hide that it has stopped to read


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        table: ConnectionTable,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.url = b""
        self._table, self._limits = table, table.limits
        self._running: RequestResponseCycle | None = None  # whose response is being made
        self._begun = False  # a request has begun to arrive
        self._in_body = False
        self._fruitless = 0  # bytes since the parser's last result
        self._received_at = self.loop.time()
        self._head_since: float | None = self._received_at  # None: no head is owed, or none has begun
        self._responded_at = 0.0
        self._unsent, self._taken_at = 0, 0.0  # what waited for the reader when it last took something, and since when
        self._discarded, self._linger_until = 0, 0.0
        self._refused = False

    # What the event loop calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit the connection, or answer 503."""
        super().connection_made(transport)
        self._set_socket_options()
        refusal = self._table.admit(self, self.client[0] if self.client else "")
        if refusal is not None:
            self._refuse(refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if isinstance(exc, TimeoutError):  # the kernel has waited in vain for the reader, a moment before `check_time`
            self._table.record(refusals.SLOW_READER)
        self._table.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        if self._refused:
            self._discard(len(data))
            return
        self._unset_keepalive_if_required()
        self._received_at = self.loop.time()
        if self._head_since is None and not self._in_body:
            self._head_since = self._received_at
        try:
            self._feed(memoryview(data))
        except httptools.HttpParserUpgrade:
            pass  # the service speaks nothing else: the request is answered as if it had not asked
        except Refused as error:
            self._refuse(error.refusal)
        except httptools.HttpParserError as error:
            cause = error.__context__  # what a callback raised
            refusal = cause.refusal if isinstance(cause, Refused) else refusals.MALFORMED.because(str(error))
            self._refuse(refusal)

    def resume_writing(self) -> None:
        """The reader has taken most of what waited."""
        self._unsent = 0
        super().resume_writing()

    # What the parser calls

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._begun = True
        self._head_since = self._received_at

    def on_headers_complete(self) -> None:
        """The head is complete: the application starts."""
        if len(self.url) > self._limits.request_line:
            raise Refused(refusals.LONG_REQUEST_LINE)
        if len(self.headers) > self._limits.header_count:
            raise Refused(refusals.LARGE_HEAD)
        if len(self.pipeline) >= MAX_PIPELINED:
            raise Refused(refusals.PIPELINED)
        super().on_headers_complete()
        self.headers = []  # trailers are not header fields of a request that runs already
        self._in_body, self._head_since, self._fruitless = True, None, -1

    def on_body(self, body: bytes) -> None:
        """A piece of the body is here."""
        super().on_body(body)
        self._fruitless = -1

    def on_message_complete(self) -> None:
        """The request is complete."""
        super().on_message_complete()
        self._begun = self._in_body = False
        self._fruitless = -1

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """A response is complete: the next request may begin."""
        self._responded_at = self.loop.time()
        super().on_response_complete()

    # Limits

    @property
    def awaits_head(self) -> bool:
        """Whether the client owes the head of a request, or the rest of one that was answered."""
        return (self._head_since is not None or self._in_body) and not self._responds

    @property
    def _responds(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def check_time(self, now: float) -> None:
        """End the connection if one of its limits of time has passed."""
        if self._reader_stalls(now):
            self._table.record(refusals.SLOW_READER)
            self.abort()
        elif self._refused or self.transport.is_closing():
            if self._linger_until and now >= self._linger_until:
                self.abort()
        elif self.flow.read_paused or (self.cycle is not None and self.cycle.waiting_for_100_continue):
            self._received_at = now  # the client waits for the service
            self._head_since = now if self._head_since is not None else None
        elif self._in_body and self._responds:
            if now - self._received_at > self._limits.idle_seconds:
                self._refuse(refusals.BODY_TIMEOUT)
        elif self._head_since is not None:
            if now - self._head_since > self._limits.head_seconds:
                self._end_without_head()
        elif not self._responds:
            self._check_idle(now)

    def _check_idle(self, now: float) -> None:
        """End the connection if it waits too long for its next request, or for the rest of one that was answered."""
        since = self._responded_at if self._in_body else max(self._received_at, self._responded_at)
        if now - since > (self._limits.idle_seconds if self._in_body else self.timeout_keep_alive):
            self._close()

    def abort(self) -> None:
        """End the connection at once, whatever waits to be sent."""
        self.transport.abort()

    def _feed(self, data: memoryview) -> None:
        """Parse data in pieces. Raises `Refused` if the parser has no result for too many bytes."""
        limits = self._limits
        while data:
            piece = data[: limits.head - self._fruitless]
            data = data[len(piece) :]
            fruitless = self._fruitless + len(piece)
            self.parser.feed_data(piece)
            self._fruitless = 0 if self._fruitless < 0 else fruitless
            if len(self.url) > limits.request_line:
                raise Refused(refusals.LONG_REQUEST_LINE)
            if self._fruitless >= limits.head:
                raise Refused(refusals.LARGE_HEAD)

    def _reader_stalls(self, now: float) -> bool:
        """Return whether the client takes nothing of what waits to be sent."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or not self._unsent or unsent <= self._unsent - MIN_TAKEN:
            self._unsent, self._taken_at = unsent, now
        return now - self._taken_at > self._limits.idle_seconds if unsent else False

    def _end_without_head(self) -> None:
        if self._begun:
            self._refuse(refusals.HEAD_TIMEOUT)
        else:  # nothing was asked: a browser's spare connection, or line ends between requests
            self._table.record(refusals.SILENT)
            self._close()

    def _close(self) -> None:
        self._refused = True  # and read nothing more
        self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Read no further, answer if no other answer is being made, and end the connection."""
        self._table.record(refusal.code)
        self._refused = True
        if self._responds and not self._fail_running_request():
            self._end_after_responses()
            return
        if self._running is None or self._running.response_complete or not self._running.response_started:
            self.transport.write(refusals.response_bytes(refusal, self.server_state.default_headers))
        self._linger_until = self.loop.time() + LINGER_SECONDS
        self._table.linger(self)
        with contextlib.suppress(OSError, RuntimeError):  # the client has gone
            self.transport.write_eof()

    def _fail_running_request(self) -> bool:
        """Tell the application that the body ends here; return False if another request's body is refused."""
        running = self._running
        if running is None or running is not self.cycle or not self._in_body:
            return False
        running.disconnected = True
        running.message_event.set()
        return True

    def _end_after_responses(self) -> None:
        """End the connection after the responses to the requests that are complete."""
        if self._in_body and self.pipeline:
            self.pipeline.popleft()  # the newest, whose body is what was refused
        last = self.pipeline[0][0] if self.pipeline else self._running
        if last is not None:
            last.keep_alive = False

    def _discard(self, count: int) -> None:
        self._discarded += count
        if self._discarded > LINGER_BYTES:
            self.abort()

    def _set_socket_options(self) -> None:
        """Let the kernel hide neither a reader that has stopped nor a peer that is gone."""
        sock: socket.socket = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * self._limits.idle_seconds))
