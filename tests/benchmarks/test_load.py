"""The clients of the load test read what a server sends, however it is cut into pieces, and sum it up."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.light_client import Client, EventStream, Server

ROOT = Path(__file__).parents[2]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/load.py, imported as the script imports its neighbours."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("load")


async def exchange(serve: Serve, use: Callable[[Server], Awaitable[None]]) -> None:
    """Serve on a free port, use it, and wait until every connection has been served to its end."""
    serving: list[asyncio.Task[None] | None] = []

    async def serve_to_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        await serve(reader, writer)
        await writer.wait_closed()

    async with await asyncio.start_server(serve_to_the_end, "127.0.0.1", 0) as listener:
        await use(Server("127.0.0.1", listener.sockets[0].getsockname()[1], "gw_key"))
        async with asyncio.timeout(20):
            await asyncio.gather(*(task for task in serving if task is not None))


def test_answers_of_every_form_are_read_and_a_closed_connection_is_replaced() -> None:
    answers = [
        b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "1"\r\n\r\nhello',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
    ]
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, then hang up."""
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answers[len(asked) - 1])
        await writer.drain()
        writer.close()

    async def use(server: Server) -> None:
        client = Client(server)
        found = [await client.request("GET", f"/{number}") for number in range(3)]
        assert [(each.status, each.body) for each in found] == [(200, b"hello"), (200, b"abcde"), (304, b"")]
        assert found[0].headers["etag"] == '"1"'
        client.close()

    asyncio.run(exchange(serve, use))
    assert len(asked) == 3
    assert b"Authorization: Bearer gw_key\r\n" in asked[0]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_events_are_counted_wherever_the_stream_is_cut(size: int) -> None:
    content = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + b"".join(
        b"id: %d\nevent: metrics\ndata: {}\n\n" % number for number in range(20)
    )
    content += b"\r\n0\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for start in range(0, len(content), size):
            writer.write(content[start : start + size])
            await writer.drain()
        await reader.read()  # the end is told, and the connection kept
        writer.close()

    async def use(server: Server) -> None:
        stream = EventStream(server, "/stream")
        await stream.open()
        while not stream.is_closed:
            await asyncio.sleep(0.001)
        assert (stream.status, stream.events, stream.received) == (200, 20, len(content))

    asyncio.run(exchange(serve, use))


def test_errors_and_quantiles_are_summed_up(load: ModuleType) -> None:
    figures = load.Figures()
    for number in range(99):
        figures.add("read", 200, number / 1000)
    figures.add("read", "ConnectionResetError")
    figures.add("list", 503, 0.001)
    assert figures.bad_share() == pytest.approx(2 / 101)
    read = figures.summary()["read"]
    assert read["statuses"] == {"200": 99, "ConnectionResetError": 1}
    assert (read["p50_ms"], read["p99_ms"], read["max_ms"], read["count"]) == (49.0, 98.0, 98.0, 99)
