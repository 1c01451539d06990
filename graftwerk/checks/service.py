"""The service: whether it answers, and what it tells of its workers."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from graftwerk.checks.finding import Finding
from graftwerk.client import Client
from graftwerk.errors import GraftwerkClientError, NotAllowed
from graftwerk.http.address import find_address
from graftwerk.supervise.home import CannotStart, free_port

LARGE_SKEW = 2.0  # seconds


def service(url: str | None) -> Iterator[Finding]:
    """Look at the API, the key, the clock and the workers."""
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
        key = _key(client, address.key)
        yield key
        if key.state == "ok":
            yield from _workers(client)


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


def _workers(client: Client) -> Iterator[Finding]:
    """Look at the workers, where the key may."""
    try:
        told = client.workers()
    except GraftwerkClientError:
        return
    skew = told["clock_skew_seconds"]
    if abs(skew) > LARGE_SKEW:
        detail = f"the API's clock is {skew:+.1f} s off the database's"
        yield Finding("clock", "warn", detail, "set the clocks by NTP; leases go by the database's alone")
    else:
        yield Finding("clock", "ok", f"{skew:+.1f} s off the database's")
    there = [worker for worker in told["items"] if worker["state"] != "stopped"]
    if not any(worker["state"] == "listening" for worker in there):
        yield Finding("workers", "warn", "none listens; jobs wait", "graftwerk up, or python -m workers")
    for worker in there:
        hint = {"silent": "look whether it hangs or is cut off; kill it, its jobs go on elsewhere",
                "deaf": "it begins anew by itself; if not, restart it"}.get(worker["state"], "")  # fmt: skip
        detail = f"{worker['state']}, {worker['free']} of {worker['slots']} slots free, {', '.join(worker['queues'])}"
        yield Finding(f"worker {worker['name']}", "warn" if hint else "ok", detail, hint)
