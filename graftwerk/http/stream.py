"""A job's events as they happen, without gaps: a broken stream resumes after the last event received."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx
from httpx_sse import EventSource

from graftwerk.errors import ServerError
from graftwerk.http.transport import Reconnection, Transport
from graftwerk.types import Event

READ_TIMEOUT_SECONDS = 45.0  # the service pings more often than this
DONE_EVENT = "done"


async def stream_events(transport: Transport, path: str, after: int = 0) -> AsyncGenerator[Event]:
    """Yield the events numbered above `after`, in order, up to and including `done`.

    Reconnects with Last-Event-ID. Raises `Unreachable` if the service stays unreachable, or an `ApiStatusError`.
    """
    reconnection = Reconnection(transport)
    while True:
        failure: Exception | None = None
        try:
            async with aclosing(_stream_once(transport, path, after)) as events:
                async for event in events:
                    reconnection.progress()
                    after = event.seq or after
                    yield event
                    if event.kind == DONE_EVENT:
                        return
        except (httpx.TransportError, ServerError) as error:
            failure = error
        await reconnection.pause(failure, "the stream")


async def _stream_once(transport: Transport, path: str, after: int) -> AsyncGenerator[Event]:
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    if after:
        headers["Last-Event-ID"] = str(after)
    async with transport.stream(path, headers=headers, timeout=READ_TIMEOUT_SECONDS) as response:
        async for message in EventSource(response).aiter_sse():
            if not message.data:
                continue  # a ping
            kind = message.event or "message"
            seq = int(message.id) if message.id.isdigit() and kind != DONE_EVENT else 0
            if seq and seq <= after:
                continue  # received before the break
            data = json.loads(message.data)
            yield Event(seq=seq, kind=kind, data=data if isinstance(data, dict) else {"value": data})
