"""A real server on a loopback port, with the service's limits before an application of a few routes."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry, generate_latest
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from app.api.server.serving import server_config
from app.settings import Settings
from tests.app.api.server.peer import Peer

BIG = 16 << 20  # bytes; more than the kernel holds
PING_SECONDS = 0.2

StartServer = Callable[..., "Served"]


class Served:
    """A running server."""

    def __init__(self, port: int, app: FastAPI, server: uvicorn.Server) -> None:
        self.port, self.app, self.server = port, app, server

    def connect(self, data: bytes = b"", source: str = "127.0.0.1") -> Peer:
        """Return a new connection from an address of the loopback network, on which `data` is sent."""
        peer = Peer(self.port, source)
        peer.send(data)
        return peer

    def is_alive(self, source: str = "127.0.0.9") -> bool:
        """Return whether a well-behaved client from this address is served."""
        with self.connect(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", source) as peer:
            return peer.response().status == 200

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)

    @property
    def tasks(self) -> int:
        return len(self.server.server_state.tasks)


def small_app() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.state.registry, app.state.received = CollectorRegistry(), 0

    @app.api_route("/livez", methods=["GET", "HEAD"])
    async def livez() -> Response:
        return JSONResponse({"status": "ok"})

    @app.post("/length")
    async def length(request: Request) -> Response:
        app.state.received = 0
        async for piece in request.stream():
            app.state.received += len(piece)
        return JSONResponse({"length": app.state.received, "trailer": request.headers.get("x-trailer")})

    @app.post("/refused")
    async def refused() -> Response:
        return Response(status_code=401)  # the body is not read

    @app.get("/big")
    async def big() -> Response:
        return Response(b"x" * BIG)

    @app.get("/pieces")
    async def pieces() -> Response:
        async def generate() -> AsyncIterator[bytes]:
            for _ in range(BIG >> 16):
                yield b"x" * (1 << 16)

        return StreamingResponse(generate())

    @app.get("/stream")
    async def stream() -> Response:
        async def generate() -> AsyncIterator[bytes]:
            while True:
                yield b": ping\n\n"
                await asyncio.sleep(PING_SECONDS)

        return StreamingResponse(generate(), media_type="text/event-stream")

    @app.get("/slow")
    async def slow() -> Response:
        await asyncio.sleep(0.5)
        return Response(b"done")

    @app.get("/client")
    async def client(request: Request) -> Response:
        assert request.client is not None
        return JSONResponse({"host": request.client.host, "scheme": request.url.scheme})

    @app.get("/metrics")
    async def metrics() -> Response:
        return PlainTextResponse(generate_latest(app.state.registry))

    return app


@contextmanager
def run_server(**settings: object) -> Iterator[Served]:
    """Run a server on a free port."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        app = small_app()
        server = uvicorn.Server(server_config(app, Settings(**settings)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Served(listener.getsockname()[1], app, server)
        finally:
            server.should_exit = server.force_exit = True
            thread.join(20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server with the settings as they are."""
    with run_server() as running:
        yield running


@pytest.fixture
def serve() -> Iterator[StartServer]:
    """Starts servers with settings of one's own."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(run_server(**settings))
