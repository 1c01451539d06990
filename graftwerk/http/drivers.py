"""How requests are carried out: by blocking calls, or by an event loop (asyncio or trio).

Everything above a driver is written once, as coroutines. With `BlockingDriver` none of them ever suspends, so that
`run` takes a coroutine to its end by one step; with `AsyncDriver` they are awaited as they are.
"""

import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread
import httpx

T = TypeVar("T")
TIMEOUT = httpx.Timeout(60.0, connect=5.0)  # seconds


class Driver(Protocol):
    """Sends requests, sleeps and does blocking work."""

    @property
    def http(self) -> httpx.Client | httpx.AsyncClient:
        """The client that builds the requests."""
        ...

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request. The body is still to be read by `aread` or `aiter_bytes`, or closed by `aclose`."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function that computes, or reads and writes files, returns."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class BlockingDriver:
    """Blocking calls of the thread that runs the coroutine."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self.http = httpx.Client(timeout=TIMEOUT, transport=transport)

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request; reading the body blocks too."""
        response = self.http.send(request, stream=True)
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _BlockingStream(response.stream)
        return response

    async def sleep(self, seconds: float) -> None:
        """Block for so many seconds."""
        time.sleep(seconds)

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call the function."""
        return function(*arguments)

    async def close(self) -> None:
        """Close all connections."""
        self.http.close()


class AsyncDriver:
    """Calls of an event loop, which never block it: files are read, written and hashed in threads."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.http = httpx.AsyncClient(timeout=TIMEOUT, transport=transport)

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        return await self.http.send(request, stream=True)

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for so many seconds."""
        await anyio.sleep(seconds)

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call the function in a thread. A cancellation waits for its end, so that no file is closed under it."""
        return await anyio.to_thread.run_sync(function, *arguments)

    async def close(self) -> None:
        """Close all connections."""
        await self.http.aclose()


class _BlockingStream(httpx.AsyncByteStream):
    """A body that is read by blocking calls, behind the interface of an asynchronous one."""

    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        self._stream.close()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine over a `BlockingDriver`. Raises `RuntimeError` if it suspends."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine over a blocking driver has suspended")
