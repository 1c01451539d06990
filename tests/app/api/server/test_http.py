"""What HTTP/1.1 promises goes on behind the limits."""

import gc
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from app.api.server.limits import SPARE_FILES
from app.api.server.serving import COLLECTION_THRESHOLDS, Server, server_config
from app.settings import Settings
from tests.app.api.server.conftest import Served, small_app

GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n%s\r\n"
POST = b"POST /length HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def frozen_objects() -> Iterator[None]:
    """Let collections look at everything again afterwards."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_keep_alive_and_close(served: Served) -> None:
    with served.connect() as peer:
        for _ in range(3):
            peer.send(GET % b"")
            assert peer.response().json == {"status": "ok"}
        peer.send(GET % b"Connection: close\r\n")
        assert peer.response().headers["connection"] == "close"
        assert peer.is_closed()


def test_http_1_0(served: Served) -> None:
    with served.connect(b"GET /livez HTTP/1.0\r\n\r\n") as peer:
        assert peer.response().status == 200
        assert peer.is_closed()


def test_head(served: Served) -> None:
    with served.connect(b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n" + GET % b"") as peer:
        assert peer.response("HEAD").status == 200
        assert peer.response().json == {"status": "ok"}


def test_a_few_pipelined_requests_are_answered_in_order(served: Served) -> None:
    bodies = [b"a" * size for size in (3, 0, 70_000, 5)]
    requests = [POST + b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies]
    with served.connect(b"".join(requests)) as peer:
        assert [peer.response().json["length"] for _ in bodies] == [3, 0, 70_000, 5]


def test_expect_100_continue(served: Served) -> None:
    with served.connect(POST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n") as peer:
        assert peer.response().status == 100
        peer.send(b"abc")
        assert peer.response().json["length"] == 3


@pytest.mark.parametrize("size", [0, 10, 1 << 20])
def test_bodies_of_any_size_in_chunks_or_in_one(served: Served, size: int) -> None:
    body = b"a" * size
    chunks = b"".join(b"%x;name=value\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part)
    trailer = b"0\r\nX-Trailer: hidden\r\n\r\n"
    with served.connect(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + trailer) as peer:
        assert peer.response().json == {"length": size, "trailer": None}
        peer.send(POST + b"Content-Length: %d\r\n\r\n%s" % (size, body))
        assert peer.response().json["length"] == size


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_other_protocols_are_not_spoken(served: Served, protocol: bytes) -> None:
    with served.connect(GET % (b"Connection: Upgrade\r\nUpgrade: %s\r\n" % protocol)) as peer:
        assert peer.response().json == {"status": "ok"}


def test_shutdown_answers_open_requests_and_closes_idle_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = small_app()
        server = uvicorn.Server(server_config(app, Settings()))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        served = Served(listener.getsockname()[1], app, server)
        with served.connect(GET % b"") as idle, served.connect(GET[:10]) as half:
            assert idle.response().status == 200
            with served.connect(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") as busy:
                time.sleep(0.2)
                server.should_exit = True
                assert busy.response().body == b"done"
            assert idle.is_closed()
            assert half.is_closed()
        thread.join(20)
        assert not thread.is_alive()


def test_the_process_may_open_a_file_for_every_connection() -> None:
    script = (
        "import resource; from app.api.server.limits import raise_file_limit; from app.settings import Settings\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))\n"
        "raise_file_limit(Settings(max_connections=1000))\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    for hard, soft in ((1000 + 2 * SPARE_FILES, 1000 + SPARE_FILES), (500, 500)):
        command = [sys.executable, "-c", script.format(hard=hard)]
        assert int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) == soft


def test_collections_skip_what_there_was_before_the_first_request(frozen_objects: None) -> None:
    """Otherwise each full one stops all requests while it walks over every module."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(server_config(small_app(), Settings()))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started or not gc.get_freeze_count():
                assert thread.is_alive()
                time.sleep(0.01)
            assert len(gc.get_objects()) < gc.get_freeze_count() / 2
            assert gc.get_threshold() == COLLECTION_THRESHOLDS
        finally:
            server.should_exit = True
            thread.join(20)
