"""The service: whether it responds, and the state of its workers."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from graftwerk.checks.result import CheckResult
from graftwerk.client import Client
from graftwerk.errors import AccessDenied, GraftwerkClientError
from graftwerk.http.address import find_address
from graftwerk.supervise.home import CannotStart
from graftwerk.supervise.port import free_port

MAX_CLOCK_SKEW_SECONDS = 2.0


def check_service(url: str | None) -> Iterator[CheckResult]:
    """Check the API, the key, the clock and the workers."""
    address = find_address(url)
    if address is None:
        yield CheckResult(
            "service", "fail", "no address is configured", "graftwerk up, or set GRAFTWERK_URL and GRAFTWERK_KEY"
        )
        yield _check_port(os.environ.get("GRAFTWERK_HOST", "127.0.0.1"), int(os.environ.get("GRAFTWERK_PORT", "8741")))
        return
    with Client(address.url, address.key) as client:
        try:
            report = client.ready()
        except GraftwerkClientError as error:
            yield CheckResult("API", "fail", str(error), "graftwerk up, or correct GRAFTWERK_URL")
            return
        yield CheckResult("API", "ok", f"{address.url} responds")
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
    """Report a service that is not ready."""
    if not report["ready"]:
        yield CheckResult("readiness", "fail", str(report.get("detail", "not ready")), "see the service's log")


def _check_key(client: Client, key: str | None) -> CheckResult:
    try:
        next(client.jobs.list(limit=1), None)
    except AccessDenied as error:
        hint = "set GRAFTWERK_KEY, or GRAFTWERK_HOME to the directory of `graftwerk up`"
        return CheckResult("key", "fail", error.detail if key else "no key is configured", hint)
    except GraftwerkClientError as error:
        return CheckResult("key", "fail", str(error))
    return CheckResult("key", "ok", "accepted" if key else "not required")


def _check_workers(client: Client) -> Iterator[CheckResult]:
    """Check clock and workers, if the key has the scope admin."""
    try:
        report = client.workers()
    except GraftwerkClientError:
        return
    skew = report["clock_skew_seconds"]
    if abs(skew) > MAX_CLOCK_SKEW_SECONDS:
        detail = f"the API's clock differs from the database's by {skew:+.1f} s"
        yield CheckResult("clock", "warn", detail, "synchronise the clocks with NTP; leases use the database's clock")
    else:
        yield CheckResult("clock", "ok", f"{skew:+.1f} s from the database's")
    workers = [worker for worker in report["items"] if worker["state"] != "stopped"]
    if not any(worker["state"] == "listening" for worker in workers):
        yield CheckResult("workers", "warn", "none is listening; jobs wait", "graftwerk up, or python -m workers")
    for worker in workers:
        hint = {
            "silent": "check whether it hangs or lost its network; if you kill it, other workers continue its jobs",
            "deaf": "it restarts by itself; if not, restart it",
        }.get(worker["state"], "")
        detail = f"{worker['state']}, {worker['free']} of {worker['slots']} slots free, {', '.join(worker['queues'])}"
        yield CheckResult(f"worker {worker['name']}", "warn" if hint else "ok", detail, hint)
