"""Streams and long polls beside short requests: ``python benchmarks/stream_load.py``.

300 streams are opened at once on a job of 60,000 points and read to the end of what there is, while 100 other clients
wait for a change again and again (``?wait=30``) and one client lists jobs. The latency of that list is compared with
the latency on an idle service; the memory of the API process with that before. A second job has all its points in one
event. The database is SQLite, the clients are threads of another process.
"""

import argparse
import concurrent.futures
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
from machine import write_results
from service import RunningService, run_service
from start_latency import SPEC

from app import curves, events
from app.db.session import Database
from app.events import EventKind
from app.jobs import repository
from app.settings import Settings

POINT_COUNT = 60_000
POINTS_PER_EVENT = {"many events": 60, "one event": POINT_COUNT}
LIST_CALLS = 200
P99_BOUND = 10.0
MEMORY_BOUND_MB = 100.0
CHANGE_SECONDS = 0.5  # between two changes of the job that the long polls wait for


def fill_job(db: Database, points_per_event: int) -> str:
    """Claim a job and give it points; returns its id."""
    job = db.run(repository.claim, ["default"], "benchmark", 3600.0)
    if job is None:
        raise SystemExit("no job is waiting")
    for start in range(0, POINT_COUNT, points_per_event):
        db.run(_append_points, job.id, start, points_per_event)
    return job.id


def _append_points(session: Any, job_id: str, start: int, count: int) -> None:
    points = np.zeros(count, curves.POINT_DTYPE)
    points["step"] = np.arange(start + 1, start + 1 + count)
    points["value"] = 1 / points["step"]
    ranges = curves.append(session, job_id, {"train/loss": points})
    events.append(session, job_id, EventKind.METRICS, {"series": {name: list(r) for name, r in ranges.items()}})


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def api_process(running: RunningService) -> int:
    """Return the id of the API's process: the one whose command line names it, in this service's home."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        if "app.api" in process.cmdline():
            return process.pid
    raise SystemExit("the API's process was not found")


def time_lists(http: httpx.Client, calls: int = LIST_CALLS, until: Callable[[], bool] = lambda: False) -> list[float]:
    """Return the seconds of consecutive lists of jobs."""
    seconds = []
    while len(seconds) < calls and not until():
        began = time.perf_counter()
        http.get("/v1/jobs").raise_for_status()
        seconds.append(time.perf_counter() - began)
        time.sleep(0.005)
    return seconds


def percentile(seconds: list[float], share: float) -> float:
    """Return a percentile in milliseconds."""
    return 1000 * sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


def read_streams(address: str, key: str, path: str, last: int, count: int) -> None:
    """Open streams at once, and read each until its event `last` (in a process of its own)."""
    import asyncio

    marker = f"\nid: {last}\n".encode()

    async def read(http: httpx.AsyncClient) -> None:
        async with http.stream("GET", path) as response:
            response.raise_for_status()
            tail = b""
            async for part in response.aiter_raw():
                tail = (tail + part)[-len(part) - 200 :]
                if marker in tail:
                    return
        raise RuntimeError("the stream ended early")

    async def main() -> None:
        limits = httpx.Limits(max_connections=None)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=address, headers=headers, limits=limits, timeout=300) as http:
            await asyncio.gather(*(read(http) for _ in range(count)))

    asyncio.run(main())


def poll(address: str, key: str, path: str, count: int) -> None:
    """Wait for changes again and again, until this process is ended."""
    import asyncio

    async def again(http: httpx.AsyncClient) -> None:
        while True:
            (await http.get(path, params={"wait": 30})).raise_for_status()

    async def main() -> None:
        limits = httpx.Limits(max_connections=None)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=address, headers=headers, limits=limits, timeout=300) as http:
            await asyncio.gather(*(again(http) for _ in range(count)))

    asyncio.run(main())


@contextmanager
def running_polls(address: str, key: str, path: str, count: int) -> Iterator[None]:
    """Long polls in another process."""
    process = multiprocessing.get_context("spawn").Process(target=poll, args=(address, key, path, count))
    process.start()
    try:
        time.sleep(3)
        yield
    finally:
        process.terminate()
        process.join()


@contextmanager
def changing_job(db: Database, job_id: str) -> Iterator[None]:
    """A job that changes at intervals."""
    stop = threading.Event()

    def change() -> None:
        while not stop.wait(CHANGE_SECONDS):
            db.run(repository.update_visible, job_id, phase="training")

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(change)
        try:
            yield
        finally:
            stop.set()


@contextmanager
def peak_memory(pid: int) -> Iterator[list[int]]:
    """Collect the resident memory of a process."""
    stop, seen = threading.Event(), [memory_bytes(pid)]

    def look() -> None:
        while not stop.wait(0.02):
            seen.append(memory_bytes(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def summarize(seconds: list[float], seen: list[int], idle: dict[str, float]) -> dict[str, float]:
    """Return latencies (ms) beside those of an idle service, and memory (MB)."""
    p50, p99 = statistics.median(seconds) * 1000, percentile(seconds, 0.99)
    memory = {"memory_before": seen[0] / 1e6, "memory_peak": max(seen) / 1e6}
    return {"p50": p50, "p99": p99, "p99_over_idle": p99 / idle["p99"], "lists": len(seconds)} | memory


def credentials(running: RunningService) -> tuple[str, str]:
    """Return the service's address and its key."""
    return str(running.http.base_url), running.http.headers["Authorization"].removeprefix("Bearer ")


def measure_replay(
    running: RunningService, db: Database, kind: str, streams: int, idle: dict[str, float]
) -> dict[str, float]:
    """Replay a job to many streams at once, beside consecutive lists of jobs."""
    running.submit(SPEC)
    job = fill_job(db, POINTS_PER_EVENT[kind])
    last = running.http.get(f"/v1/jobs/{job}").json()["last_event"]
    arguments = (*credentials(running), f"/v1/jobs/{job}/stream", last, streams)
    process = multiprocessing.get_context("spawn").Process(target=read_streams, args=arguments)
    with peak_memory(api_process(running)) as seen:
        process.start()
        began = time.perf_counter()
        seconds = time_lists(running.http, 100_000, lambda: not process.is_alive())
        took = time.perf_counter() - began
        process.join()
    if process.exitcode:
        raise SystemExit("a stream was not read to its end")
    return summarize(seconds, seen, idle) | {"seconds": took}


def measure_polls(running: RunningService, db: Database, polls: int, idle: dict[str, float]) -> dict[str, float]:
    """Wait for one job many times at once, beside consecutive lists of jobs."""
    running.submit(SPEC)
    job = fill_job(db, 10_000)
    arguments = (*credentials(running), f"/v1/jobs/{job}", polls)
    with running_polls(*arguments), changing_job(db, job), peak_memory(api_process(running)) as seen:
        seconds = time_lists(running.http)
    return summarize(seconds, seen, idle)


def claims(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what is aimed at: latency as a ratio to an idle service, and memory."""
    parts = {
        f"{result['streams']} streams opened at once on 60,000 points in {kind}": kind for kind in POINTS_PER_EVENT
    }
    for what, part in (parts | {f"{result['polls']['count']} long polls": "polls"}).items():
        figures, at_most = result[part], {"at_most": True}
        ratio = round(figures["p99_over_idle"], 1)
        yield {
            "what": f"{what}: GET /v1/jobs, p99 / idle",
            "measured": ratio,
            "unit": "x",
            "bound": P99_BOUND,
        } | at_most
        grown = round(figures["memory_peak"] - figures["memory_before"], 1)
        memory = {"what": f"{what}: growth of the API process", "measured": grown, "unit": "MB"}
        yield memory | {"bound": MEMORY_BOUND_MB} | at_most


def main() -> None:
    """Measure and write results/stream_load.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--polls", type=int, default=100)
    options = parser.parse_args()
    result: dict[str, Any] = {"points": POINT_COUNT, "streams": options.streams}
    with run_service("--no-worker", MAX_STREAMS="1000", ADDRESS_CONNECTIONS="0") as running:
        db = Database(Settings(home=running.home).resolved_database_url)
        for _ in range(20):
            running.submit(SPEC)
        time_lists(running.http, 50)
        idle = time_lists(running.http)
        result["idle"] = {"p50": statistics.median(idle) * 1000, "p99": percentile(idle, 0.99)}
        for kind in POINTS_PER_EVENT:
            result[kind] = measure_replay(running, db, kind, options.streams, result["idle"])
        result["polls"] = measure_polls(running, db, options.polls, result["idle"]) | {"count": options.polls}
        db.close()
    write_results("stream_load", result, list(claims(result)))


if __name__ == "__main__":
    main()
