"""An S3 server that fails and lies: a proxy in front of one that does neither."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SLOW_SECONDS = 0.5
_ITEM = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)
_HOP_HEADERS = frozenset({"connection", "content-length", "transfer-encoding", "date", "server"})


@dataclass
class Answer:
    """A response on its way."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut_after: int | None = None  # bytes of the body after which the connection breaks

    @classmethod
    def error(cls, status: int, code: str) -> "Answer":
        """Return a refusal of S3's."""
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        return cls(status, {"Content-Type": "application/xml"}, body)


Forward = Callable[[], Answer]
Lie = Callable[[Forward, "LyingServer", str], Answer]


def _internal_error(forward: Forward, server: "LyingServer", path: str) -> Answer:
    return Answer.error(500, "InternalError")


def _slow_down(forward: Forward, server: "LyingServer", path: str) -> Answer:
    return Answer.error(503, "SlowDown")


def _precondition_failed(forward: Forward, server: "LyingServer", path: str) -> Answer:
    return Answer.error(412, "PreconditionFailed")


def _conflict(forward: Forward, server: "LyingServer", path: str) -> Answer:
    return Answer.error(409, "OperationAborted")


def _slow(forward: Forward, server: "LyingServer", path: str) -> Answer:
    time.sleep(SLOW_SECONDS)
    return forward()


def _answer_lost(forward: Forward, server: "LyingServer", path: str) -> Answer:
    answer = forward()
    answer.cut_after = -1  # not even its head
    return answer


def _reset(forward: Forward, server: "LyingServer", path: str) -> Answer:
    answer = forward()
    answer.cut_after = len(answer.body) // 2
    return answer


def _truncated(forward: Forward, server: "LyingServer", path: str) -> Answer:
    answer = forward()
    answer.body = answer.body[: len(answer.body) // 2]
    return answer


def _corrupted(forward: Forward, server: "LyingServer", path: str) -> Answer:
    answer = forward()
    middle = len(answer.body) // 2
    answer.body = answer.body[:middle] + bytes([answer.body[middle] ^ 1]) + answer.body[middle + 1 :]
    return answer


def _wrong_etag(forward: Forward, server: "LyingServer", path: str) -> Answer:
    answer = forward()
    answer.headers = {name: value for name, value in answer.headers.items() if name.lower() != "etag"}
    answer.headers["ETag"] = '"00000000000000000000000000000000"'
    return answer


def _partial_list(forward: Forward, server: "LyingServer", path: str) -> Answer:
    answer = forward()
    answer.body = _ITEM.sub(lambda found: found[0] if server.chance.random() < 0.5 else b"", answer.body)
    return answer


def _stale_list(forward: Forward, server: "LyingServer", path: str) -> Answer:
    return server.lists.get(path) or forward()


LIES: Mapping[str, tuple[str, Lie]] = {
    "put: 500": ("PUT", _internal_error),
    "put: 503 SlowDown": ("PUT", _slow_down),
    "put: 409": ("PUT", _conflict),
    "put: 412": ("PUT", _precondition_failed),
    "put: slow": ("PUT", _slow),
    "put: done, and the answer lost": ("PUT", _answer_lost),
    "put: done, with a wrong ETag": ("PUT", _wrong_etag),
    "get: 500": ("GET", _internal_error),
    "get: 503 SlowDown": ("GET", _slow_down),
    "get: slow": ("GET", _slow),
    "get: reset in the middle": ("GET", _reset),
    "get: half of the bytes": ("GET", _truncated),
    "get: a wrong bit": ("GET", _corrupted),
    "head: 500": ("HEAD", _internal_error),
    "list: 500": ("LIST", _internal_error),
    "list: without some": ("LIST", _partial_list),
    "list: an old one": ("LIST", _stale_list),
    "list: broken off": ("LIST", _truncated),
    "delete: 500": ("DELETE", _internal_error),
    "delete: done, and the answer lost": ("DELETE", _answer_lost),
}  # name → what kind of request it is the answer to, and what becomes of it


@dataclass
class LyingServer:
    """A proxy at `endpoint`. It tells the truth but for the lies in force, each told with a probability."""

    upstream: str  # URL
    lies: dict[str, float] = field(default_factory=dict)  # name → probability
    told: Counter[str] = field(default_factory=Counter)
    lists: dict[str, Answer] = field(default_factory=dict)  # the first answer to every list
    chance: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Close the proxy."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return what is told in answer to a request."""
        kind = "LIST" if method == "GET" and "list-type=2" in path else method

        def forward() -> Answer:
            answer = self._forward(method, path, headers, body)
            if kind == "LIST":
                self.lists.setdefault(path, answer)
            return answer

        for name, probability in list(self.lies.items()):
            answered, lie = LIES[name]
            if answered == kind and self.chance.random() < probability:
                self.told[name] += 1
                return lie(forward, self, path)
        return forward()

    def _forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        connection = HTTPConnection(urlsplit(self.upstream).netloc, timeout=60)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in _HOP_HEADERS}
            connection.request(method, path, body, kept | {"Content-Length": str(len(body))})
            response = connection.getresponse()
            content = response.read()
            told = {name: value for name, value in response.getheaders() if name.lower() not in _HOP_HEADERS}
            if method == "HEAD":
                told["Content-Length"] = response.headers.get("Content-Length", "0")
            return Answer(response.status, told, content)
        finally:
            connection.close()


def _handler(lying: LyingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = lying.answer(self.command, self.path, dict(self.headers.items()), body)
            if answer.cut_after == -1:
                self._hang_up()
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body[: answer.cut_after])
            if answer.cut_after is not None:
                self._hang_up()

        def _hang_up(self) -> None:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
