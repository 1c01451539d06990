"""The proxy of docker-compose.proxy.yml: its file agrees with the settings, and works where Caddy is installed."""

import os
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.acceptance.service import free_port
from tests.app.api.server.conftest import PING_SECONDS, Served, run_server
from tests.app.api.server.peer import Peer, wait_until

ROOT = Path(__file__).parents[4]
CADDYFILE = (ROOT / "Caddyfile").read_text()
UPLOAD = 64 << 20


def override() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.proxy.yml").read_text())
    return document


def seconds(option: str) -> float:
    (found,) = re.findall(rf"^\s*{option} (\d+)s\b", CADDYFILE, re.MULTILINE)
    return float(found)


def test_the_proxy_keeps_the_promises_of_the_other_services() -> None:
    proxy = override()["services"]["proxy"]
    assert proxy["read_only"]
    assert (proxy["cap_drop"], proxy["cap_add"]) == (["ALL"], ["NET_BIND_SERVICE"])
    assert proxy["security_opt"] == ["no-new-privileges:true"]
    assert "./Caddyfile:/etc/caddy/Caddyfile:ro" in proxy["volumes"]
    assert set(re.findall(r"\{\$(GRAFTWERK_\w+)\}", CADDYFILE)) == set(proxy["environment"])


def test_the_api_believes_the_proxy_alone() -> None:
    document = override()
    address = document["services"]["proxy"]["networks"]["front"]["ipv4_address"]
    assert document["services"]["api"]["environment"]["GRAFTWERK_PROXIES"] == address
    (network,) = document["networks"]["front"]["ipam"]["config"]
    assert ip_address(address) in ip_network(network["subnet"])
    assert ip_address(address) not in ip_network(network["ip_range"])  # of the gateway and of the other containers
    assert "front" in document["services"]["api"]["networks"]


def test_its_limits_agree_with_the_settings() -> None:
    settings = Settings()
    assert seconds("read_header") <= settings.head_seconds
    assert seconds("keepalive") < settings.keep_alive_seconds
    (kilobytes,) = re.findall(r"max_header_size (\d+)KB", CADDYFILE)
    assert int(kilobytes) * 1000 < settings.head_limit / 1.5
    (port,) = re.findall(r"GRAFTWERK_UPSTREAM:api:(\d+)", CADDYFILE)
    assert int(port) == settings.port
    assert not {"flush_interval", "request_buffers", "response_buffers", "read_body", "max_size"} & set(
        CADDYFILE.split()
    )


needs_caddy = pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed")


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, int]]:
    """A server behind Caddy with the very file of the example; Caddy's port."""
    port, home = free_port(), tmp_path_factory.mktemp("caddy")
    with run_server(proxies="127.0.0.1", address_connections=3) as served:
        ports = {"HTTP_PORT": str(free_port()), "HTTPS_PORT": str(port)}
        names = {"GRAFTWERK_SITE": "localhost", "GRAFTWERK_UPSTREAM": f"127.0.0.1:{served.port}"}
        environment = (
            os.environ | ports | names | {"XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home), "HOME": str(home)}
        )
        command = ["caddy", "run", "--config", str(ROOT / "Caddyfile"), "--adapter", "caddyfile"]
        with (home / "log").open("w") as log, subprocess.Popen(command, env=environment, stderr=log) as caddy:
            try:
                assert wait_until(lambda: answers(port), 30), (home / "log").read_text()
                yield served, port
            finally:
                caddy.terminate()


def answers(port: int) -> bool:
    try:
        with connect(port) as peer:
            peer.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return peer.response().status == 200
    except OSError:
        return False


def connect(port: int, source: str = "127.0.0.1") -> Peer:
    """Return a TLS connection to Caddy, whose certificate is of its own authority."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return Peer(port, source, lambda plain: context.wrap_socket(plain, server_hostname="localhost"))


@needs_caddy
def test_addresses_pass_through_the_proxy(behind: tuple[Served, int]) -> None:
    for source in ("127.0.0.1", "127.0.0.7"):
        with connect(behind[1], source) as peer:
            peer.send(b"GET /client HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
            assert peer.response().json == {"host": source, "scheme": "https"}


@needs_caddy
def test_more_clients_than_one_address_may_have(behind: tuple[Served, int]) -> None:
    peers = [connect(behind[1]) for _ in range(10)]
    for peer in peers:
        peer.send(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert all(peer.line().startswith(b"HTTP/1.1 200") for peer in peers)
    for peer in peers:
        peer.__exit__(None, None, None)
    assert wait_until(lambda: behind[0].tasks == 0)  # who leaves the proxy leaves the API


@needs_caddy
def test_streams_are_not_held_back(behind: tuple[Served, int]) -> None:
    with connect(behind[1]) as peer:
        peer.send(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while not peer.line().startswith(b": ping"):
            pass
        times = []
        while len(times) < 4:
            if peer.line().startswith(b": ping"):
                times.append(time.monotonic())
        assert times[-1] - times[0] > PING_SECONDS  # one by one, as they are sent


@needs_caddy
def test_uploads_are_not_held_back(behind: tuple[Served, int]) -> None:
    with connect(behind[1]) as peer:
        peer.send(b"POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % UPLOAD)
        peer.send(b"a" * (1 << 20))
        assert wait_until(lambda: behind[0].app.state.received >= 1 << 19)  # before the end is sent
        for _ in range((UPLOAD >> 20) - 1):
            peer.send(b"a" * (1 << 20))
        assert peer.response().json["length"] == UPLOAD


@needs_caddy
def test_metrics_stay_inside(behind: tuple[Served, int]) -> None:
    with connect(behind[1]) as peer:
        peer.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert peer.response().status == 404
