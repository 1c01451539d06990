"""A receiver of webhooks: a real HTTP server that answers by a script."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[["ReceivedWebhook", BaseHTTPRequestHandler], None]


@dataclass
class ReceivedWebhook:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """What a server hears; `script` answers."""

    url: str = ""
    port: int = 0
    script: Script = lambda message, handler: respond(handler, 204)
    messages: list[ReceivedWebhook] = field(default_factory=list)
    received: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait(self, count: int = 1) -> list[ReceivedWebhook]:
        """Wait until so many more messages have arrived; returns all."""
        for _ in range(count):
            assert self.received.acquire(timeout=30), "no message arrived"
        return list(self.messages)


def respond(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def respond_with(status: int, **headers: str) -> Script:
    return lambda message, handler: respond(handler, status, **headers)


@contextmanager
def run_receiver(script: Script | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Listen on the loopback address until the end."""
    receiver = Receiver()
    if script is not None:
        receiver.script = script

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            message = ReceivedWebhook(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.messages.append(message)
            try:
                receiver.script(message, self)
            except OSError:
                self.close_connection = True  # the sender has gone
            receiver.received.release()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{receiver.port}/hook"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
