"""The service: whether it answers, and what it tells of its workers."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from graftwerk.checks.result import CheckResult
from graftwerk.client import Client
from graftwerk.errors import AccessDenied, GraftwerkClientError
from graftwerk.http.address import find_address
from graftwerk.supervise.home import CannotStart, free_port

MAX_CLOCK_SKEW_SECONDS = 2.0  # seconds


def check_service(url: str | None) -> Iterator[CheckResult]:
    """Look at the API, the key, the clock and the workers."""
    address = find_address(url)
    if address is None:
        yield CheckResult(
            "service", "fail", "no address is known", "graftwerk up, or set GRAFTWERK_URL and GRAFTWERK_KEY"
        )
        yield _check_port(os.environ.get("GRAFTWERK_HOST", "127.0.0.1"), int(os.environ.get("GRAFTWERK_PORT", "8741")))
        return
    with Client(address.url, address.key) as client:
        try:
            report = client.ready()
        except GraftwerkClientError as error:
            yield CheckResult("API", "fail", str(error), "graftwerk up, or correct GRAFTWERK_URL")
            return
        yield CheckResult("API", "ok", f"{address.url} answers")
        yield from _check_readiness(report)
        key = _check_key(client, address.key)
        yield key
        if key.state == "ok":
            yield from _check_workers(client)


def _check_port(host: str, port: int) -> CheckResult:
    try:
        return CheckResult("port", "ok", f"{free_port(host, port)} is free")
    except CannotStart as error:
        return CheckResult("port", "fail", str(error), f"graftwerk up --port {port + 1}")


def _check_readiness(report: Mapping[str, Any]) -> Iterator[CheckResult]:
    """Tell what the service says of its parts."""
    if not report["ready"]:
        yield CheckResult("readiness", "fail", str(report.get("detail", "not ready")), "look at the service's log")


def _check_key(client: Client, key: str | None) -> CheckResult:
    try:
        next(client.jobs.list(limit=1), None)
    except AccessDenied as error:
        hint = "set GRAFTWERK_KEY, or GRAFTWERK_HOME to the directory of `graftwerk up`"
        return CheckResult("key", "fail", error.detail if key else "none is known", hint)
    except GraftwerkClientError as error:
        return CheckResult("key", "fail", str(error))
    return CheckResult("key", "ok", "accepted" if key else "none is needed")


def _check_workers(client: Client) -> Iterator[CheckResult]:
    """Look at the workers, where the key may."""
    try:
        told = client.workers()
    except GraftwerkClientError:
        return
    skew = told["clock_skew_seconds"]
    if abs(skew) > MAX_CLOCK_SKEW_SECONDS:
        detail = f"the API's clock is {skew:+.1f} s off the database's"
        yield CheckResult("clock", "warn", detail, "set the clocks by NTP; leases go by the database's alone")
    else:
        yield CheckResult("clock", "ok", f"{skew:+.1f} s off the database's")
    there = [worker for worker in told["items"] if worker["state"] != "stopped"]
    if not any(worker["state"] == "listening" for worker in there):
        yield CheckResult("workers", "warn", "none listens; jobs wait", "graftwerk up, or python -m workers")
    for worker in there:
        hint = {
            "silent": "look whether it hangs or is cut off; kill it, its jobs go on elsewhere",
            "deaf": "it begins anew by itself; if not, restart it",
        }.get(worker["state"], "")
        detail = f"{worker['state']}, {worker['free']} of {worker['slots']} slots free, {', '.join(worker['queues'])}"
        yield CheckResult(f"worker {worker['name']}", "warn" if hint else "ok", detail, hint)
