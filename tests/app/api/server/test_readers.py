"""Clients that take no answer, that take it slowly, and streams on which a client has nothing to say."""

import time

from tests.app.api.server.conftest import BIG, StartServer
from tests.app.api.server.peer import wait_until


def test_clients_that_read_nothing_are_dropped(serve: StartServer) -> None:
    served = serve(idle_seconds=0.6)
    requests = (b"/big", b""), (b"/pieces", b""), (b"/big", b"Connection: close\r\n")
    heads = [b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % request for request in requests]
    peers = [served.connect(head, source="127.0.0.2") for head in heads]
    assert wait_until(lambda: served.connections >= 3)
    assert served.is_alive()
    assert wait_until(lambda: served.connections == served.tasks == 0)
    for peer in peers:
        peer.socket.close()
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
