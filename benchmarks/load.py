"""A service under load while it trains: ``python benchmarks/load.py``, by default for six minutes.

A service of its own on this machine (SQLite, embedded Valkey, one worker) trains jobs. First its API is idle; then
clients follow the jobs with event streams, others wait for changes with long polls, and requests come at a fixed rate,
whether or not earlier ones have been answered: submit, read, list, and curves. The times of requests count from when
they were due. Last, some clients more than the limits allow show what happens beyond them.

The clients are this one process; they share the machine with what they load.
"""

import argparse
import asyncio
import os
import resource
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import psutil
from light_client import Server
from load_clients import POOL_SIZE, Clients, Figures, training_spec
from machine import write_results
from service import RunningService, run_service

KEY_COUNT = 8  # a key has a share of each limit
EXTRA = 40  # clients beyond a limit
SAMPLE_SECONDS = 5.0
SPARE_DESCRIPTORS = 500
MAX_ERROR_SHARE = 0.0
BOUNDS = {"read, p99": 250.0, "memory of the API, growth over the last half": 64.0, "training, load / idle API": 0.3}
ROLES = {"api": "-m app.api", "worker": "-m workers", "forked": "multiprocessing", "broker": "valkey"}


def service_processes(running: RunningService) -> Iterator[tuple[str, psutil.Process]]:
    """Yield the service's processes, each with its role."""
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            if process.environ().get("GRAFTWERK_HOME") == str(running.home):
                line = " ".join(process.info["cmdline"] or [])
                yield next((role for role, words in ROLES.items() if words in line), "others"), process


def memory_by_role(running: RunningService) -> dict[str, float]:
    """Return the proportional set size of the service's processes by role, in MiB; "all" is their sum."""
    sizes: Counter[str] = Counter()
    for role, process in service_processes(running):
        with suppress(psutil.Error):
            size = process.memory_full_info().pss / 2**20
            sizes.update({role: size, "all": size})
    return {role: round(size, 1) for role, size in sorted(sizes.items())}


def api_cpu_seconds(running: RunningService) -> float:
    """Return the processor time that the API has taken."""
    return sum(sum(process.cpu_times()[:2]) for role, process in service_processes(running) if role == "api")


def steps_trained(running: RunningService, jobs: Sequence[str]) -> int:
    """Return the steps of all jobs together."""
    return sum(int(running.http.get(f"/v1/jobs/{job}").json()["progress"].get("step", 0)) for job in jobs)


def make_servers(running: RunningService) -> list[Server]:
    """Return the service as seen with each of some keys."""
    address = urlsplit(str(running.http.base_url))
    request = {"name": "load", "scopes": ["read", "write"]}
    tokens = [running.http.post("/v1/keys", json=request).raise_for_status().json()["token"] for _ in range(KEY_COUNT)]
    return [Server(str(address.hostname), int(address.port or 80), token) for token in tokens]


class MemorySamples:
    """The memory of a service, every few seconds."""

    def __init__(self, running: RunningService) -> None:
        self.samples: list[dict[str, float]] = []
        self._running = running
        self._began = time.monotonic()

    async def collect(self) -> None:
        """Collect until this is cancelled."""
        while True:
            sizes = await asyncio.to_thread(memory_by_role, self._running)
            self.samples.append({"seconds": round(time.monotonic() - self._began, 1), **sizes})
            await asyncio.sleep(SAMPLE_SECONDS)


async def measure(running: RunningService, jobs: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Let the API idle, load it, and ask for more than is allowed; returns the figures."""
    clients, memory = Clients(make_servers(running), jobs, options.rate), MemorySamples(running)
    sampling = asyncio.create_task(memory.collect())
    idle = await _measure_phase(running, clients, options.idle_seconds, is_loaded=False)
    samples = len(memory.samples)
    await clients.open_streams(options.streams)
    clients.begin_waits(options.waits)
    loaded = await _measure_phase(running, clients, options.seconds, is_loaded=True)
    figures, clients.figures = clients.figures, Figures()
    closed = sum(stream.is_closed for stream in clients.streams)
    await clients.open_streams(options.max_streams - options.streams + EXTRA)
    sampling.cancel()
    clients.close()
    return {
        "phases": {"idle": idle, "load": loaded},
        "routes": figures.summary(),
        "bad_share": round(figures.bad_share(), 5),
        "streams_closed": closed,
        "beyond": clients.figures.summary(),
        "idle_samples": samples,
        "memory": memory.samples,
    }


async def _measure_phase(
    running: RunningService, clients: Clients, seconds: float, *, is_loaded: bool
) -> dict[str, float]:
    steps, cpu = steps_trained(running, clients.jobs), api_cpu_seconds(running)
    events, began = clients.events(), time.monotonic()
    await (clients.send_requests(seconds) if is_loaded else asyncio.sleep(seconds))
    took = time.monotonic() - began
    made = await asyncio.to_thread(steps_trained, running, clients.jobs) - steps
    return {
        "seconds": round(took, 1),
        "steps_per_second": round(made / took, 1),
        "api_cpu_share": round((api_cpu_seconds(running) - cpu) / took, 3),
        "events_per_second": round((clients.events() - events) / took, 1),
    }


def claims(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is claimed of the figures."""
    phases, later = figures["phases"], figures["memory"][figures["idle_samples"] :]
    half = later[len(later) // 2 :] or later
    growth = max(sample["api"] for sample in half) - half[0]["api"]
    measured = {
        "read, p99": (figures["routes"]["read"]["p99_ms"], "ms", True),
        "memory of the API, growth over the last half": (round(growth, 1), "MiB", True),
        "training, load / idle API": (
            round(phases["load"]["steps_per_second"] / max(0.1, phases["idle"]["steps_per_second"]), 2), "", False,
        ),
    }  # fmt: skip
    found = [
        {"what": f"under load: {what}", "measured": value, "unit": unit, "bound": BOUNDS[what], "at_most": at_most}
        for what, (value, unit, at_most) in measured.items()
    ]
    what = "under load: share of answers of 500 or more, and of broken connections"
    bad = {"what": what, "measured": figures["bad_share"], "unit": "", "bound": MAX_ERROR_SHARE}
    return [bad | {"at_most": True}, *found]


def raise_descriptor_limit(needed: int) -> None:
    """Allow this process, and those that it starts, as many open files. Raises `SystemExit` where that is forbidden."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(f"{needed} open files are needed, {hard} are allowed (ulimit -Hn): fewer --streams or --waits")
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))


def main() -> None:
    """Measure, and write results/load.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--waits", type=int, default=200, help="long polls, each for the next change of a job")
    parser.add_argument("--rate", type=float, default=50.0, help="requests in a second")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--idle-seconds", type=float, default=60.0, help="before, without any client")
    parser.add_argument("--jobs", type=int, default=2, help="that train meanwhile")
    options = parser.parse_args()
    options.max_streams = options.streams + EXTRA
    raise_descriptor_limit(options.max_streams + options.waits + POOL_SIZE + SPARE_DESCRIPTORS)
    os.environ["OMP_NUM_THREADS"] = "1"
    settings = {"MAX_STREAMS": str(options.max_streams), "ADDRESS_CONNECTIONS": "0"}  # all clients have one address
    with run_service("--slots", str(options.jobs), **settings) as running:
        jobs = [running.submit(training_spec("default", 10**9)) for _ in range(options.jobs)]
        while not all(running.http.get(f"/v1/jobs/{job}").json()["progress"].get("step") for job in jobs):
            time.sleep(0.1)
        figures = asyncio.run(measure(running, jobs, options))
        for job in jobs:
            running.http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
    chosen = {name: getattr(options, name) for name in ("streams", "waits", "rate", "seconds", "jobs", "max_streams")}
    write_results("load", {"load": chosen, **figures}, claims(figures))


if __name__ == "__main__":
    main()
