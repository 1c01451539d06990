"""Clients that take no answer, that take it slowly, and streams on which a client has nothing to say."""

import time
from contextlib import ExitStack

import pytest

from app.api.server import limits
from tests.app.api.server.conftest import BIG, StartServer
from tests.app.api.server.peer import wait_until


@pytest.mark.parametrize("sweep_seconds", [None, 60], ids=["by the sweep", "by the kernel"])
def test_clients_that_read_nothing_are_dropped(
    serve: StartServer, monkeypatch: pytest.MonkeyPatch, sweep_seconds: int | None
) -> None:
    if sweep_seconds is not None:
        monkeypatch.setattr(limits.ConnectionLimits, "sweep_seconds", sweep_seconds)
    served = serve(idle_seconds=0.6)
    requests = (b"/big", b""), (b"/pieces", b""), (b"/big", b"Connection: close\r\n")
    heads = [b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % request for request in requests]
    with ExitStack() as stack:
        for head in heads:
            stack.enter_context(served.connect(head, source="127.0.0.2"))
        assert wait_until(lambda: served.connections >= 3)
        assert served.is_alive()
        assert wait_until(lambda: served.connections == served.tasks == 0)
    with served.connect(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as peer:
        assert b'graftwerk_refused_connections_total{code="slow_reader"} 3.0' in peer.response().body


def test_slow_clients_get_everything(serve: StartServer) -> None:
    served = serve(idle_seconds=0.6)
    with served.connect(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n") as peer:
        assert peer.line().startswith(b"HTTP/1.1 200")
        while peer.line() != b"\r\n":
            pass
        assert peer.read_slowly(pieces=16, size=BIG // 16, pause=0.1) == BIG  # longer than `idle_seconds`


def test_streams_live_on_without_a_word_from_the_client(serve: StartServer) -> None:
    served = serve(idle_seconds=0.4, head_seconds=0.4, keep_alive_seconds=1)
    with served.connect(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n") as peer:
        began, pings = time.monotonic(), 0
        while time.monotonic() < began + 1.2:
            pings += peer.line() == b": ping\n"
        assert pings >= 3
        assert served.connections == 1
    assert wait_until(lambda: served.connections == served.tasks == 0)
