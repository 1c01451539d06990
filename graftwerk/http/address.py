"""The service's address and key: from arguments, the environment or the files of `graftwerk up`."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import httpx

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Address:
    """The URL of a service, and a key for it."""

    url: str
    key: str | None = field(repr=False)


def home_directory() -> Path:
    """Return the directory where `graftwerk up` keeps its files."""
    return Path(os.environ.get("GRAFTWERK_HOME") or Path.home() / ".graftwerk").expanduser()


def find_address(base_url: str | None = None, key: str | None = None) -> Address | None:
    """Return address and key from the arguments, else GRAFTWERK_URL and GRAFTWERK_KEY, else the home directory.

    The key in the home directory is only sent to the service that wrote it. `None` if there is no address.
    """
    home = home_directory()
    local_url = _read(home / "address")
    url = base_url or os.environ.get("GRAFTWERK_URL") or local_url
    if not url:
        return None
    token = key or os.environ.get("GRAFTWERK_KEY")
    if not token and local_url and _origin(url) == _origin(local_url):
        token = _read(home / "key")
    return Address(url.rstrip("/"), token or None)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = httpx.URL(url)
    return parts.scheme, "loopback" if parts.host in LOOPBACK_HOSTS else parts.host, parts.port
