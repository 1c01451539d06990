"""Unsafe settings in the environment and in a `.env` file. Values of secrets are never shown."""

import stat
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from graftwerk.checks.result import CheckResult

NETWORK_FILESYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)
WELL_KNOWN_PASSWORDS = frozenset(
    {"admin", "changeme", "default", "example", "graftwerk", "password", "postgres", "redis", "root", "secret", "test"}
)
MIN_SECRET_LENGTH = 12  # characters
SECRET_WORDS = ("PASSWORD", "SECRET")


def check_settings(
    environment: Mapping[str, str], home: Path, folder: Path, mounts: Path = Path("/proc/mounts")
) -> Iterator[CheckResult]:
    """Check the service's settings, and the `.env` file of the folder."""
    public = not _is_loopback(environment.get("GRAFTWERK_HOST", "127.0.0.1"))
    yield from _check_exposure(environment, public)
    yield from _check_database_file(environment, home, mounts)
    yield from _check_broker(environment)
    yield from _check_dotenv(folder / ".env")


def _check_exposure(environment: Mapping[str, str], public: bool) -> Iterator[CheckResult]:
    if not _is_enabled(environment, "AUTH", True):
        users = "everyone who reaches the port" if public else "every user of this machine"
        detail = f"disabled: {users} has full access"
        yield CheckResult("authentication", "fail" if public else "warn", detail, "unset GRAFTWERK_AUTH")
    if public:
        detail = "the API is reachable from other machines, without TLS; /metrics needs no key"
        yield CheckResult(
            "address", "warn", detail, "set GRAFTWERK_HOST=127.0.0.1, behind a TLS proxy that hides /metrics"
        )
        if environment.get("GRAFTWERK_RATE_LIMIT", "1").strip() == "":
            yield CheckResult(
                "rate limit", "warn", "disabled: keys can be guessed at any speed", "unset GRAFTWERK_RATE_LIMIT"
            )
        if _is_enabled(environment, "ALLOW_DOWNLOADS", True):
            detail = "workers download any torchvision data set that a job names"
            yield CheckResult("downloads", "warn", detail, "set GRAFTWERK_ALLOW_DOWNLOADS=false to forbid it")
    if _is_enabled(environment, "WEBHOOK_PRIVATE", False):
        detail = "webhooks may target private addresses: keys with the scope admin can reach what the workers reach"
        yield CheckResult("webhooks", "warn", detail, "unset GRAFTWERK_WEBHOOK_PRIVATE")
    if _is_enabled(environment, "WEBHOOK_HTTP", False):
        yield CheckResult("webhooks", "warn", "messages may be sent unencrypted", "unset GRAFTWERK_WEBHOOK_HTTP")


def _check_database_file(environment: Mapping[str, str], home: Path, mounts: Path) -> Iterator[CheckResult]:
    url = environment.get("GRAFTWERK_DATABASE_URL", "")
    if url and not url.startswith("sqlite"):
        return
    path = Path(url.partition(":///")[2]) if url else home / "graftwerk.db"
    kind = _filesystem_type(path.absolute(), mounts)
    if kind in NETWORK_FILESYSTEMS:
        detail = f"SQLite at {path} is on {kind}, where file locks fail and data can be lost"
        yield CheckResult("database file", "fail", detail, "use a local disk, or PostgreSQL in GRAFTWERK_DATABASE_URL")


def _filesystem_type(path: Path, mounts: Path) -> str:
    """Return the path's file system type; empty if the system does not list mounts."""
    if not mounts.exists():
        return ""
    lines = [line.split() for line in mounts.read_text().splitlines()]
    points = [(Path(words[1].replace("\\040", " ")), words[2]) for words in lines if len(words) > 2]
    containing = [(len(point.parts), kind) for point, kind in points if path.is_relative_to(point)]
    return max(containing, default=(0, ""))[1]


def _check_broker(environment: Mapping[str, str]) -> Iterator[CheckResult]:
    parts = urlsplit(environment.get("GRAFTWERK_BROKER_URL", ""))
    remote = parts.scheme in ("redis", "rediss") and parts.hostname and not _is_loopback(parts.hostname)
    if remote and not parts.password:
        detail = f"{parts.hostname} is another machine, and the URL has no password"
        hint = "set requirepass there, and redis://:PASSWORD@… in GRAFTWERK_BROKER_URL"
        yield CheckResult("broker password", "fail", detail, hint)


def _check_dotenv(path: Path) -> Iterator[CheckResult]:
    if not path.is_file():
        return
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield CheckResult(".env", "fail", f"other users can read {path}", f"chmod 600 {path}")
    for line in path.read_text(errors="replace").splitlines():
        name, separator, value = line.strip().partition("=")
        if name.startswith("#") or not separator or not any(word in name for word in SECRET_WORDS):
            continue
        secret = value.strip().strip("'\"")
        if secret.lower() in WELL_KNOWN_PASSWORDS or len(secret) < MIN_SECRET_LENGTH:
            what = (
                "is a well-known password"
                if secret.lower() in WELL_KNOWN_PASSWORDS
                else f"is shorter than {MIN_SECRET_LENGTH} characters"
            )
            yield CheckResult(name, "fail", f"in {path}: {'is empty' if not secret else what}", "openssl rand -hex 24")


def _is_enabled(environment: Mapping[str, str], name: str, default: bool) -> bool:
    value = environment.get(f"GRAFTWERK_{name}", "").strip().lower()
    return default if not value else value in ("1", "true", "yes", "on", "t", "y")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
