"""Where a webhook may lead: a plain https URL whose host has public addresses only.

A name is resolved once per check, and the connection goes to the addresses that were checked: a name that resolves
differently the next time (DNS rebinding) gains nothing.
"""

import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from queue import Empty, SimpleQueue
from urllib.parse import SplitResult, urlsplit

from app.errors import InvalidInput, Problem

IPAddress = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

MAX_URL_LENGTH = 2000
RESOLVE_SECONDS = 5.0
DEFAULT_PORTS = {"https": 443, "http": 80}
NAT64 = ip_network("64:ff9b::/96")  # an IPv4 address is inside
PUBLIC_IPV6 = ip_network("2000::/3")  # all that the open internet has of IPv6
BLOCKED_NETWORKS = tuple(
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's own services
        "192.0.0.0/24",  # protocols' own, and Oracle's services
        "192.88.99.0/24",
        "2002::/16",
        "2001::/32",  # tunnels to anywhere
    )
)

_PRINTABLE = re.compile(r"[!-~]+")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL, and the addresses that its host resolved to."""

    scheme: str
    host: str
    port: int
    path: str  # with the query
    addresses: tuple[str, ...]


class TargetPolicy:
    """The allowed targets: `http` besides https, `private` addresses. `resolve` returns a host's addresses as text."""

    def __init__(self, *, http: bool, private: bool, resolve: Resolver | None = None) -> None:
        self._schemes = ("https", "http") if http else ("https",)
        self._private = private
        self._resolve = resolve or _system_resolver

    def check(self, url: str) -> Target:
        """Return the target of a URL. Raises `InvalidInput`."""
        parts, port = _split_url(url, self._schemes)
        host = (parts.hostname or "").rstrip(".")
        _check_host(host)
        addresses = tuple(_resolve_with_timeout(self._resolve, host, port))
        if not addresses:
            raise _url_error("unknown_host", f"the host {host} has no address", "is its name right?")
        if not self._private and not all(is_public(ip_address(each.partition("%")[0])) for each in addresses):
            detail = f"the host {host} has an address that is not public"
            raise _url_error("private_address", detail, "an operator can allow it: GRAFTWERK_WEBHOOK_PRIVATE")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(parts.scheme, host, port, path, addresses)


def is_public(address: IPAddress) -> bool:
    """Return whether an address belongs to the open internet, also where it is an IPv4 address inside of IPv6."""
    if isinstance(address, IPv6Address):
        inside = address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None)
        if inside is not None:
            return is_public(inside)
        if address not in PUBLIC_IPV6:
            return False
    special = address.is_multicast or address.is_reserved or any(address in network for network in BLOCKED_NETWORKS)
    return address.is_global and not special


def _split_url(url: str, schemes: Sequence[str]) -> tuple[SplitResult, int]:
    if len(url) > MAX_URL_LENGTH or not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise _url_error(
            "invalid_url", f"a URL has at most {MAX_URL_LENGTH} characters, none of them blank or beyond ASCII"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _url_error("invalid_url", "the URL cannot be read", "write it as https://host/path") from None
    if parts.scheme not in schemes:
        hint = "an operator can allow http: GRAFTWERK_WEBHOOK_HTTP" if parts.scheme == "http" else ""
        raise _url_error("unknown_scheme", f"the URL begins with {' or '.join(f'{name}://' for name in schemes)}", hint)
    if "@" in parts.netloc:
        hint = "a receiver recognises messages by their signature"
        raise _url_error("credentials", "a URL with a user or a password is not taken", hint)
    if parts.fragment:
        raise _url_error("fragment", "the part after # is never sent", "leave it out")
    if port == 0:
        raise _url_error("invalid_url", "there is no port 0")
    return parts, port or DEFAULT_PORTS[parts.scheme]


def _check_host(host: str) -> None:
    """Raise `InvalidInput` for what is neither an address as it is usually written nor a name."""
    try:
        ip_address(host)
    except ValueError:
        labels = host.split(".")
        if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
            raise _url_error(
                "invalid_host", "the URL names no host", "names beyond ASCII are written as xn--…"
            ) from None
        if _NUMERIC_LABEL.fullmatch(
            labels[-1]
        ):  # 2130706433, 0177.0.0.1, 0x7f.1: some programs take them for addresses
            raise _url_error(
                "invalid_host", f"{host} is neither a name nor an address", "write it as 192.0.2.1"
            ) from None


def _resolve_with_timeout(resolve: Resolver, host: str, port: int) -> Sequence[str]:
    """Resolve within `RESOLVE_SECONDS`: the system's resolver has no timeout of its own."""
    results: SimpleQueue[Sequence[str]] = SimpleQueue()
    threading.Thread(target=lambda: results.put(resolve(host, port)), name="resolver", daemon=True).start()
    try:
        return results.get(timeout=RESOLVE_SECONDS)
    except Empty:
        return ()


def _system_resolver(host: str, port: int) -> Sequence[str]:
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return list(dict.fromkeys(str(item[4][0]) for item in entries))


def _url_error(code: str, detail: str, hint: str = "") -> InvalidInput:
    return InvalidInput([Problem("/url", code, detail, hint)])
