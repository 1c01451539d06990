"""Where a webhook may lead."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from app.errors import InvalidInput
from app.webhooks import targets
from app.webhooks.targets import TargetPolicy, is_public

PUBLIC = "93.184.215.14"


def at(*addresses: str) -> TargetPolicy:
    """Targets in a world where every name has these addresses."""
    return TargetPolicy(http=False, private=False, resolve=lambda host, port: addresses)


def code(found: TargetPolicy, url: str) -> str:
    with pytest.raises(InvalidInput) as error:
        found.check(url)
    (problem,) = error.value.problems
    assert problem.pointer == "/url"
    return problem.code


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://example.com", "example.com", 443, "/"),
        ("https://EXAMPLE.com./a/b?c=d%20", "example.com", 443, "/a/b?c=d%20"),
        ("https://xn--bcher-kva.example:8443?x", "xn--bcher-kva.example", 8443, "/?x"),
        ("https://93.184.215.14/x", PUBLIC, 443, "/x"),
        ("https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", 443, "/"),
        ("https://a_b.example/", "a_b.example", 443, "/"),
    ],
)
def test_a_public_target_is_taken(url: str, host: str, port: int, path: str) -> None:
    target = at(PUBLIC).check(url)
    assert (target.scheme, target.host, target.port, target.path) == ("https", host, port, path)
    assert target.addresses == (PUBLIC,)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com/", "unknown_scheme"),
        ("ftp://example.com/", "unknown_scheme"),
        ("javascript:alert(1)", "unknown_scheme"),
        ("//example.com/", "unknown_scheme"),
        ("https://user@example.com/", "credentials"),
        ("https://user:word@example.com/", "credentials"),
        ("https://@example.com/", "credentials"),
        ("https://example.com/#x", "fragment"),
        ("https://example.com\\@127.0.0.1/", "invalid_url"),
        ("https://example.com/ x", "invalid_url"),
        ("https://example.com/\r\nHost: x", "invalid_url"),
        ("https://bücher.example/", "invalid_url"),
        ("https://example.com:0/", "invalid_url"),
        ("https://example.com:99999/", "invalid_url"),
        ("https://example.com:x/", "invalid_url"),
        ("https://[::1/", "invalid_url"),
        ("https://" + "x" * 2000, "invalid_url"),
        ("https:///path", "invalid_host"),
        ("https://a..b/", "invalid_host"),
        ("https://-a.example/", "invalid_host"),
        ("https://a%2e.example/", "invalid_host"),
        ("https://2130706433/", "invalid_host"),
        ("https://0x7f000001/", "invalid_host"),
        ("https://0177.0.0.1/", "invalid_host"),
        ("https://127.1/", "invalid_host"),
        ("https://0x7f.0.0.1/", "invalid_host"),
        ("https://example.0x7f/", "invalid_host"),
    ],
)
def test_a_url_has_a_form(url: str, expected: str) -> None:
    assert code(at(PUBLIC), url) == expected


PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert code(at(address), "https://example.com/") == "private_address"
    assert code(at(PUBLIC, address), "https://example.com/") == "private_address"  # one of several is enough
    allowed = TargetPolicy(http=True, private=True, resolve=lambda host, port: (address,))
    assert allowed.check("http://example.com/").addresses == (address,)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"])
def test_the_system_s_resolver_is_asked_for_every_host(host: str) -> None:
    assert code(TargetPolicy(http=False, private=False), f"https://{host}/") == "private_address"


def test_a_name_without_an_address_is_refused() -> None:
    assert code(at(), "https://example.com/") == "unknown_host"
    assert code(TargetPolicy(http=False, private=False), "https://name.invalid/") == "unknown_host"


def test_a_resolver_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Event

    monkeypatch.setattr(targets, "RESOLVE_SECONDS", 0.05)
    never = Event()

    def hanging(host: str, port: int) -> Sequence[str]:
        never.wait(30)
        return (PUBLIC,)

    assert code(TargetPolicy(http=False, private=False, resolve=hanging), "https://example.com/") == "unknown_host"
    never.set()
