"""Which address a request counts for: that of the peer, unless it is a proxy of the settings."""

import pytest
from pydantic import ValidationError

from app.api.server.limits import ConnectionLimits
from app.settings import Settings
from tests.app.api.server.conftest import Served, StartServer

REQUEST = b"GET /client HTTP/1.1\r\nHost: x\r\n%s\r\n"


def seen(served: Served, headers: bytes, source: str = "127.0.0.1") -> tuple[str, str]:
    with served.connect(REQUEST % headers, source=source) as peer:
        found = peer.response().json
    return found["host"], found["scheme"]


@pytest.mark.parametrize("environment", [None, "*", "127.0.0.1"])
def test_without_a_proxy_nothing_is_believed(
    serve: StartServer, monkeypatch: pytest.MonkeyPatch, environment: str | None
) -> None:
    if environment is not None:  # uvicorn's own setting
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", environment)
    served = serve()
    for source in ("127.0.0.1", "127.0.0.5"):
        assert seen(served, b"X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n", source) == (source, "http")


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        (b"", "127.0.0.2"),
        (b"X-Forwarded-For: 9.9.9.9\r\n", "9.9.9.9"),
        (b"X-Forwarded-For: 6.6.6.6, 9.9.9.9\r\n", "9.9.9.9"),  # what a client invented stands on the left
        (b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 9.9.9.9\r\n", "9.9.9.9"),
        (b"X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.1.2.3\r\n", "9.9.9.9"),  # two proxies
        (b"X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7"),
        (b"Forwarded: for=9.9.9.9\r\n", "127.0.0.2"),
    ],
)
def test_the_rightmost_address_that_is_no_proxy_counts(serve: StartServer, headers: bytes, host: str) -> None:
    served = serve(proxies="127.0.0.2,10.0.0.0/8")
    assert seen(served, headers + b"X-Forwarded-Proto: https\r\n", "127.0.0.2") == (host, "https")
    assert seen(served, headers, "127.0.0.3") == ("127.0.0.3", "http")  # the header of a stranger


@pytest.mark.parametrize("proxies", ["*", "caddy", "10.0.0.1/8", "127.0.0.1;10.0.0.1"])
def test_what_is_no_address_is_refused_at_the_start(proxies: str) -> None:
    with pytest.raises(ValidationError):
        Settings(proxies=proxies)


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("9.9.9.9", "9.9.9.9"),
        ("2001:db8::7", "2001:db8::/64"),  # a site has all of them
        ("10.1.2.3", None),
        ("", ""),
    ],
)
def test_under_what_a_peer_is_counted(host: str, counted: str | None) -> None:
    limits = ConnectionLimits.from_settings(Settings(proxies="10.0.0.0/8"))
    assert limits.counted_address(host) == counted
    assert ConnectionLimits.from_settings(Settings(address_connections=0)).counted_address("9.9.9.9") is None
