"""How many connections there may be, of one address and in all."""

from tests.app.api.server.conftest import Served, StartServer
from tests.app.api.server.peer import Peer, assert_problem, wait_until

HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
STREAM = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"


def open_streams(served: Served, count: int, source: str) -> list[Peer]:
    peers = [served.connect(STREAM, source=source) for _ in range(count)]
    assert all(peer.line().startswith(b"HTTP/1.1 200") for peer in peers)
    return peers


def close(peers: list[Peer]) -> None:
    for peer in peers:
        peer.__exit__(None, None, None)


def test_one_address_does_not_take_all(serve: StartServer) -> None:
    served = serve(address_connections=5)
    peers = open_streams(served, 5, "127.0.0.2")
    with served.connect(HEAD + b"\r\n", source="127.0.0.2") as sixth:
        assert_problem(sixth.response(), 503, "too_many_connections_of_address")
        assert sixth.is_closed()
    assert served.is_alive("127.0.0.3")
    close(peers)
    assert wait_until(lambda: served.connections == 0)
    assert served.is_alive("127.0.0.2")


def test_all_addresses_together(serve: StartServer) -> None:
    served = serve(max_connections=4)
    peers = [peer for host in range(2, 6) for peer in open_streams(served, 1, f"127.0.0.{host}")]
    with served.connect(HEAD + b"\r\n") as fifth:
        assert_problem(fifth.response(), 503, "too_many_connections")
    close(peers)
    assert wait_until(lambda: served.connections == 0)
    assert served.is_alive()


def test_half_sent_heads_keep_nobody_out(serve: StartServer) -> None:
    """Those that come later displace them: of the same address, and of others."""
    served = serve(address_connections=5, max_connections=8)
    peers = [served.connect(HEAD, source=f"127.0.0.{2 + number % 2}") for number in range(200)]
    assert all(served.is_alive(source) for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4"))
    assert wait_until(lambda: served.connections <= 8)
    close(peers)


def test_proxies_connect_for_many(serve: StartServer) -> None:
    served = serve(address_connections=3, proxies="127.0.0.2, 10.0.0.0/8")
    peers = open_streams(served, 10, "127.0.0.2")
    assert served.is_alive("127.0.0.2")
    close(peers)


def test_zero_is_no_limit_of_an_address(serve: StartServer) -> None:
    served = serve(address_connections=0)
    close(open_streams(served, 20, "127.0.0.2"))


def test_refused_connections_do_not_linger(serve: StartServer) -> None:
    served = serve(address_connections=1)
    peers = open_streams(served, 1, "127.0.0.2")
    refused = [served.connect(source="127.0.0.2") for _ in range(300)]
    assert wait_until(lambda: served.connections == 1)
    close(peers + refused)
