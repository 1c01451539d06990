"""Whoever has the port already is named."""

import http.server
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from graftwerk.supervise.home import CannotStart, read_key, write_private
from graftwerk.supervise.port import free_port, service_url
from graftwerk.supervise.service import Service, ServiceConfig


class Toy(http.server.BaseHTTPRequestHandler):
    """Answers like a service that knows one key."""

    readiness: ClassVar[Any] = {"ready": True, "version": "9.8.7", "database": {}}

    def do_GET(self) -> None:
        known = self.path == "/readyz" or self.headers["Authorization"] == "Bearer gw_right"
        body = json.dumps(self.readiness).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


class NotReady(Toy):
    readiness: ClassVar[Any] = {"type": "urn:graftwerk:problem:database_unavailable"}


class Other(Toy):
    readiness: ClassVar[Any] = ["pages"]
    server_version = "nginx"
    sys_version = ""


@contextmanager
def serving(handler: type[Toy]) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("handler", "key", "expected"),
    [
        (Toy, "", "Graftwerk 9.8.7 answers there, of another home"),
        (Toy, "gw_wrong", "Graftwerk 9.8.7 answers there, of another home"),
        (Toy, "gw_right", "Graftwerk 9.8.7 answers there, with the key of this home"),
        (NotReady, "", "Graftwerk (not ready) answers there, of another home"),
        (Other, "gw_right", "a program that is not Graftwerk answers there, nginx"),
    ],
)
def test_who_has_the_port_is_told(handler: type[Toy], key: str, expected: str) -> None:
    with serving(handler) as port, pytest.raises(CannotStart) as raised:
        free_port("127.0.0.1", port, key)
    message = str(raised.value)
    assert message.startswith(f"port {port} on 127.0.0.1 is taken: {expected}")
    assert f"--port {port + 1}" in message
    assert (f"GRAFTWERK_URL=http://127.0.0.1:{port}" in message) == expected.startswith("Graftwerk")


def test_a_program_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graftwerk.supervise.port.PROBE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(CannotStart, match="does not answer HTTP"):
        free_port("127.0.0.1", server.getsockname()[1])


def test_a_free_port() -> None:
    assert free_port("127.0.0.1", 0) > 0
    port = free_port("127.0.0.1", 0)
    assert free_port("127.0.0.1", port) == port


def test_an_address_of_another_machine() -> None:
    with pytest.raises(CannotStart, match="GRAFTWERK_HOST"):
        free_port("192.0.2.1", 8741)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("fe80::1", "http://[fe80::1]:1"),
        ("192.0.2.1", "http://192.0.2.1:1"),
        ("box", "http://box:1"),
    ],
)
def test_the_url_from_this_machine(host: str, url: str) -> None:
    assert service_url(host, 1) == url


@pytest.mark.parametrize("held", [None, "gw_old"])
def test_another_service_that_was_faster_is_not_taken_for_ones_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, held: str | None
) -> None:
    """Two were started at once: both found the port free, and the other one listens."""
    if held is not None:
        write_private(tmp_path / "key", held)
    monkeypatch.setattr(
        Service, "_run_module", lambda *words: subprocess.CompletedProcess([], 0, stdout="gw_new\n", stderr="")
    )
    service = Service(ServiceConfig(tmp_path), print, print)
    with serving(Toy) as port, pytest.raises(CannotStart, match=r"is not this service: Graftwerk 9\.8\.7"):
        service._ensure_key(service_url("127.0.0.1", port), {})
    assert read_key(tmp_path) == (held or "")
