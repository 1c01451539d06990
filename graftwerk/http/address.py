"""Where the service is, and the key for it: given, in the environment, or written by `graftwerk up`."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import httpx

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Address:
    """A service and the key to it."""

    url: str
    key: str | None = field(repr=False)


def home_directory() -> Path:
    """Return where `graftwerk up` keeps its files."""
    return Path(os.environ.get("GRAFTWERK_HOME") or Path.home() / ".graftwerk").expanduser()


def find_address(base_url: str | None = None, key: str | None = None) -> Address | None:
    """Return the first address and key found: arguments, GRAFTWERK_URL and GRAFTWERK_KEY, files in the home directory.

    The key in the home directory is only ever sent to the service that wrote it.
    """
    home = home_directory()
    written = _read(home / "address")
    url = base_url or os.environ.get("GRAFTWERK_URL") or written
    if not url:
        return None
    found = key or os.environ.get("GRAFTWERK_KEY")
    if not found and written and _origin(url) == _origin(written):
        found = _read(home / "key")
    return Address(url.rstrip("/"), found or None)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = httpx.URL(url)
    return parts.scheme, "loopback" if parts.host in LOOPBACK_HOSTS else parts.host, parts.port
