"""The port that a service is to listen on: whether it is free, and if not, who listens there."""

import errno
import socket
from ipaddress import ip_address

import httpx

from graftwerk.supervise.home import CannotStart

PROBE_SECONDS = 3.0


def free_port(host: str, port: int, key: str = "") -> int:
    """Return the port if it is free, or any free one for 0.

    Raises `CannotStart` if it is in use, with what is known of the program that listens there; `key` is that of the
    home directory, which a Graftwerk service accepts if it uses the same home.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotStart(_reason(host, port, key, error)) from None
        return int(probe.getsockname()[1])


def service_url(host: str, port: int) -> str:
    """Return the URL under which a service that listens on `host` is reached from this machine."""
    return f"http://{_connect_host(host)}:{port}"


def is_key_accepted(url: str, key: str) -> bool:
    """Return whether the service at `url` knows the key. Raises `httpx.TransportError`."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{url}/v1/jobs", params={"limit": 1}, headers=headers, timeout=10.0).status_code != 401


def describe_listener(url: str, key: str = "") -> str:
    """Return which program answers at `url`, as far as it says so."""
    try:
        response = httpx.get(f"{url}/readyz", timeout=PROBE_SECONDS)
        version = _version(response)
        if version is None:
            name = response.headers.get("Server", "")
            return "a program that is not Graftwerk answers there" + (f", {name[:60]}" if name else "")
        known = bool(key) and is_key_accepted(url, key)
    except (httpx.TransportError, httpx.InvalidURL):
        return "a program listens there that does not answer HTTP"
    home = "with the key of this home, but not started by `graftwerk up`" if known else "of another home"
    return f"Graftwerk {version} answers there, {home}"


def _reason(host: str, port: int, key: str, error: OSError) -> str:
    """Return why the port cannot be used, and what to do."""
    if error.errno == errno.EACCES:
        return f"port {port} on {host} may not be used ({error.strerror}); choose one above 1023 with --port"
    if error.errno != errno.EADDRINUSE:
        return f"port {port} on {host} cannot be used ({error.strerror}); correct GRAFTWERK_HOST, or choose --port"
    url = service_url(host, port)
    listener = describe_listener(url, key)
    use = f", or use that one: GRAFTWERK_URL={url}" if listener.startswith("Graftwerk") else ""
    return f"port {port} on {host} is taken: {listener}. Choose another with --port {port % 65535 + 1}{use}"


def _version(response: httpx.Response) -> str | None:
    """Return the version that Graftwerk's readiness tells; `None` for a response that is none of Graftwerk's."""
    try:
        document = response.json()
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    is_own = "ready" in document or str(document.get("type")).startswith("urn:graftwerk")
    return str(document.get("version", "(not ready)"))[:40] if is_own else None


def _connect_host(host: str) -> str:
    """Return the host under which a server that listens on `host` is reachable from this machine."""
    try:
        address = ip_address(host)
    except ValueError:
        return host  # a host name
    if address.version == 6:
        return "[::1]" if address.is_unspecified else f"[{host}]"
    return "127.0.0.1" if address.is_unspecified else host
