"""Limits on the head of a request, and on time: before a route, and before a key is looked at."""

import time

import pytest

from app.api.server.limits import LINGER_BYTES, MAX_PIPELINED
from app.settings import Settings
from tests.app.api.server.conftest import Served, StartServer
from tests.app.api.server.peer import assert_problem, wait_until

SETTINGS = Settings()
REQUEST = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /length HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BUFFERS = 16 << 20  # what the kernel takes at both ends of a connection
ENDLESS = 1 << 27

ENDLESS_REQUESTS = {
    "header": (REQUEST + b"X-Name: ", b"a" * 65536, 431, "head_too_large"),
    "header name": (REQUEST, b"a" * 65536, 431, "head_too_large"),
    "headers": (REQUEST, b"X-Name: value\r\n" * 4096, 431, "head_too_large"),
    "folds": (REQUEST + b"X-Name: a", b"\r\n b" * 16384, 400, "malformed_http"),
    "line": (b"GET /", b"a" * 65536, 414, "uri_too_long"),
    "query": (b"GET /livez?", b"a=b&" * 16384, 414, "uri_too_long"),
    "method": (b"", b"G" * 65536, 400, "malformed_http"),
    "empty lines": (b"", b"\r\n" * 32768, 431, "head_too_large"),
    "extension of a chunk": (CHUNKED + b"1;", b"a" * 65536, 431, "head_too_large"),
    "trailers": (CHUNKED + b"1\r\na\r\n0\r\n", b"X-Trailer: a\r\n" * 4096, 431, "head_too_large"),
}


@pytest.mark.parametrize("kind", ENDLESS_REQUESTS)
def test_what_never_ends_is_refused(served: Served, kind: str) -> None:
    start, piece, status, code = ENDLESS_REQUESTS[kind]
    with served.connect(start) as peer:
        assert peer.send_endlessly(piece, ENDLESS) < LINGER_BYTES + BUFFERS
    with served.connect(start + 2 * piece) as peer:  # one that stops is told why
        assert_problem(peer.response(), status, code)
        assert peer.is_closed()
    assert served.is_alive()


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_heads_are_measured_however_they_arrive(served: Served, piece: int) -> None:
    head = REQUEST + b"X-Name: " + b"a" * SETTINGS.head_limit
    with served.connect() as peer:
        for start in range(0, len(head) if piece > 100 else 1000, piece):
            peer.send(head[start : start + piece])
        peer.send(head[1000:] if piece < 100 else b"")
        assert_problem(peer.response(), 431, "head_too_large")


def test_large_heads_within_the_limits_are_served(served: Served) -> None:
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 200) for number in range(SETTINGS.header_count - 1))
    assert len(fields) < SETTINGS.head_limit
    with served.connect(REQUEST + fields + b"\r\n") as peer:
        assert peer.response().status == 200
    with served.connect(REQUEST + fields + b"X-One: more\r\n\r\n") as peer:
        assert_problem(peer.response(), 431, "head_too_large")


@pytest.mark.parametrize(("extra", "status"), [(0, 404), (1, 414)])
def test_the_longest_request_line(served: Served, extra: int, status: int) -> None:
    with served.connect(
        b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * (SETTINGS.request_line_limit - 1 + extra))
    ) as peer:
        assert peer.response().status == status


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(80),  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"NONSENSE /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nX-Name: a\0b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /length HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /length HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"not a number\r\n",
    ],
)
def test_malformed_http_is_a_problem_document(served: Served, data: bytes) -> None:
    with served.connect(data) as peer:
        assert_problem(peer.response(), 400, "malformed_http")
        assert peer.is_closed()
    assert served.is_alive()


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        (b"Content-Length: 1\r\nContent-Length: 1\r\n", "Duplicate Content-Length"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding"),
        (b"Content-Length: x\r\n", "Content-Length"),
    ],
)
def test_malformed_http_is_answered_with_its_cause(served: Served, fields: bytes, cause: str) -> None:
    with served.connect(b"POST /length HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n") as peer:
        detail = peer.response().json["detail"]
    assert detail.startswith("this is not HTTP/1.1: ")
    assert cause in detail


def test_many_pipelined_requests_are_not_collected(served: Served) -> None:
    with served.connect((REQUEST + b"\r\n") * 10_000) as peer:
        for _ in range(MAX_PIPELINED + 1):
            assert peer.response().status == 200
        assert peer.is_closed()


def test_half_sent_heads_do_not_accumulate(serve: StartServer) -> None:
    served = serve(head_seconds=1.0, address_connections=0)
    peers = [served.connect(REQUEST, source="127.0.0.2") for _ in range(300)]
    assert served.is_alive()
    assert_problem(peers[0].response(), 408, "head_timeout")
    assert peers[-1].response().status == 408
    assert wait_until(lambda: served.connections == 0)
    for peer in peers:
        peer.socket.close()


def test_trickled_heads_have_the_same_time(serve: StartServer) -> None:
    served = serve(head_seconds=0.6)
    with served.connect(REQUEST + b"X-Name: ") as peer:
        began = time.monotonic()
        while peer.send(b"a") and time.monotonic() < began + 10 and served.connections:
            time.sleep(0.05)
        assert_problem(peer.response(), 408, "head_timeout")


def test_connections_without_a_byte_are_closed_silently(serve: StartServer) -> None:
    served = serve(head_seconds=0.4)
    with served.connect() as silent, served.connect(b"\r\n") as lines:
        assert silent.is_closed()
        assert lines.is_closed()


def test_trickled_bodies_are_ended_by_a_pause(serve: StartServer) -> None:
    served = serve(idle_seconds=0.6)
    with served.connect(POST + b"Content-Length: 100\r\n\r\nab") as paused:
        assert_problem(paused.response(), 408, "body_timeout")
        assert paused.is_closed()
    assert wait_until(lambda: served.tasks == 0)  # the application has been told
    with served.connect(POST + b"Content-Length: 10\r\n\r\n") as steady:
        for byte in b"0123456789":
            time.sleep(0.1)
            steady.send(bytes([byte]))
        assert steady.response().json["length"] == 10


def test_the_rest_of_a_body_that_was_answered_has_an_end(serve: StartServer) -> None:
    served = serve(idle_seconds=0.4)
    with served.connect(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n") as peer:
        assert peer.response().status == 401
        began = time.monotonic()
        while served.connections and time.monotonic() < began + 10:
            peer.send(b"a")
            time.sleep(0.05)
        assert peer.is_closed()


def test_idle_connections_are_closed(serve: StartServer) -> None:
    served = serve(keep_alive_seconds=1)
    with served.connect(REQUEST + b"\r\n") as peer, served.connect(POST + b"Content-Length: 2\r\n\r\n") as late:
        assert peer.response().status == 200
        late.send(b"ab")
        assert late.response().status == 200
        assert peer.is_closed()
        assert late.is_closed()


def test_a_refused_second_request_leaves_the_first_its_answer(served: Served) -> None:
    with served.connect(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + b"NONSENSE\r\n\r\n") as peer:
        found = peer.response()
        assert (found.status, found.body) == (200, b"done")
        assert peer.is_closed()
