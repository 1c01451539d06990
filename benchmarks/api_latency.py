"""Create, read, store 100,000 points, read them back whole and in 1,500 buckets: ``python benchmarks/api_latency.py``.

With ``--mlflow-python PATH``, an interpreter of an environment of its own that has MLflow, the same work is given to
MLflow's server on the same machine, in the same run. Both use SQLite and answer one client over one connection.

What is alike and what is not: creating, reading and both ways of reading points are HTTP requests on both sides. Our
create also checks the spec and builds the network. Storing differs by design: a training process here hands blocks to
its worker, which writes them to the database itself, so 100,000 points are recorded with `workers.host.persist`
in blocks of 1,024, each in a durable transaction; MLflow's clients send them over HTTP, here in its largest batches
of 1,000.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine import summarize_times, write_results
from mlflow_server import mlflow_version, run_mlflow
from service import RunningService, run_service
from start_latency import SPEC

from app.db.session import Database
from app.jobs import repository
from app.settings import Settings
from workers.host.persist import record
from workers.protocol.messages import ProgressReport, SeriesPoints

POINT_COUNT = 100_000
BUCKET_COUNT = 1500
BLOCK_POINTS = 1024  # points of one report at most, as workers.training.metrics.recorder has it
READ_CPU_BOUND, CREATE_CPU_BOUND = 3.0, 4.0  # times the processor time of /livez; milliseconds
BOUNDS = {"create": 4.0, "read": 10.0, "store": 50.0, "read back": 50.0, "buckets": 50.0}
VALUES = [2.3 * math.exp(-step / 30_000) + 0.05 * math.sin(step / 7) for step in range(1, POINT_COUNT + 1)]


def time_calls(call: Callable[[], object], runs: int) -> list[float]:
    """Return the seconds of each of some calls, after one that is not counted."""
    call()
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return seconds


def measure_graftwerk(runs: int) -> dict[str, list[float]]:
    """Measure Graftwerk. No worker runs, so jobs stay where they are put."""
    with run_service("--no-worker") as running:
        times = {"create": time_calls(lambda: running.submit(SPEC), runs)}
        job = running.submit(SPEC)
        times["read"] = time_calls(lambda: running.http.get(f"/v1/jobs/{job}").raise_for_status(), runs)
        stored, job = time_storing(running)
        times["store"] = stored
        series_path = f"/v1/jobs/{job}/metrics?names=train/loss"
        csv = {"Accept": "text/csv"}
        times["read back"] = time_calls(lambda: check_equal(count_lines(running, series_path, csv) - 1, POINT_COUNT), 5)
        times["buckets"] = time_calls(lambda: check_buckets(running, f"{series_path}&max_points={BUCKET_COUNT}"), 5)
    return times


def measure_cpu(requests: int) -> dict[str, float]:
    """Return the milliseconds of processor time that the API process uses for a request of each kind.

    A submission's inspection is done by a child, whose time is not counted. A request to `/livez` costs what the server
    and the framework cost; the others also authenticate, wait for a place in their lane, and use the database.
    """
    with run_service("--no-worker") as running:
        job = running.submit(SPEC)
        calls: dict[str, Callable[[], object]] = {
            "livez": lambda: running.http.get("/livez").raise_for_status(),
            "read": lambda: running.http.get(f"/v1/jobs/{job}").raise_for_status(),
            "list": lambda: running.http.get("/v1/jobs?limit=10").raise_for_status(),
            "create": lambda: running.submit(SPEC),
        }
        return {what: _cpu_per_call(running, call, requests) for what, call in calls.items()}


def _cpu_per_call(running: RunningService, call: Callable[[], object], requests: int) -> float:
    for _ in range(20):
        call()
    began = running.api_cpu_seconds()
    for _ in range(requests):
        call()
    return round(1000 * (running.api_cpu_seconds() - began) / requests, 3)


def time_storing(running: RunningService) -> tuple[list[float], str]:
    """Record the points of three jobs as a worker does; returns the seconds each took, and one of the jobs."""
    settings = Settings(home=running.home)
    db = Database(settings.resolved_database_url)
    filled = [record_points(db, settings) for _ in range(3)]
    db.close()
    return [seconds for seconds, _ in filled], filled[0][1]


def record_points(db: Database, settings: Settings) -> tuple[float, str]:
    """Claim a job and record its points; returns the seconds it took, and the job."""
    job = db.run(repository.claim, ["default"], "benchmark", 3600.0)
    if job is None:
        raise SystemExit("no job is waiting")
    began = time.perf_counter()
    for start in range(0, POINT_COUNT, BLOCK_POINTS):
        db.run(record, job.fence, replace(next_report(start), job_id=job.id), settings)
    return time.perf_counter() - began, job.id


def next_report(start: int) -> ProgressReport:
    """Return a report with the next block of points."""
    values = VALUES[start : start + BLOCK_POINTS]
    steps = list(range(start + 1, start + 1 + len(values)))
    now = time.time()
    block = SeriesPoints(steps, values, [now] * len(values), [step / 1000 for step in steps])
    return ProgressReport(
        progress={"step": steps[-1], "latest": {"train/loss": values[-1]}}, series={"train/loss": block}
    )


def count_lines(running: RunningService, path: str, headers: dict[str, str]) -> int:
    """Return the number of lines of an answer."""
    return running.http.get(path, headers=headers).raise_for_status().content.count(b"\n")


def check_buckets(running: RunningService, path: str) -> None:
    """Read the buckets and see that they stand for every point."""
    columns = running.http.get(path).raise_for_status().json()["series"]["train/loss"]
    check_equal(sum(columns["count"]), POINT_COUNT)


def check_equal(count: int, expected: int) -> None:
    """Stop the benchmark if a response is incomplete."""
    if count != expected:
        raise SystemExit(f"expected {expected}, received {count}")


def measure_mlflow(python: Path, runs: int) -> dict[str, list[float]]:
    """Measure MLflow."""
    with run_mlflow(python) as server:
        times = {"create": time_calls(server.create, runs)}
        run = server.create()
        times["read"] = time_calls(lambda: server.read(run), runs)
        began = time.perf_counter()
        server.store(run, VALUES)  # once: it takes long, and spreads little
        times["store"] = [time.perf_counter() - began]
        times["read back"] = time_calls(lambda: check_equal(server.read_all(run), POINT_COUNT), 3)
        check_equal(server.read_sampled(run, BUCKET_COUNT) >= BUCKET_COUNT // 2, True)
        times["buckets"] = time_calls(lambda: server.read_sampled(run, BUCKET_COUNT), 5)
    return times


def main() -> None:
    """Measure and write results/api_latency.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlflow-python", type=Path, help="interpreter of an environment that has MLflow")
    parser.add_argument("--runs", type=int, default=50, help="requests to create and to read")
    parser.add_argument("--cpu-requests", type=int, default=1000, help="requests of a kind whose processor time counts")
    options = parser.parse_args()
    here = {what: summarize_times(seconds) for what, seconds in measure_graftwerk(options.runs).items()}
    cpu = measure_cpu(options.cpu_requests)
    result: dict[str, Any] = {"points": POINT_COUNT, "graftwerk_ms": here, "cpu_ms": cpu}
    claims: list[dict[str, Any]] = [
        {
            "what": "processor time of a read / of livez",
            "measured": round(cpu["read"] / cpu["livez"], 2),
            "unit": "x",
            "bound": READ_CPU_BOUND,
            "at_most": True,
        },
        {
            "what": "processor time of a submission in the API process",
            "measured": cpu["create"],
            "unit": "ms",
            "bound": CREATE_CPU_BOUND,
            "at_most": True,
        },
    ]
    if options.mlflow_python is not None:
        there = {
            what: summarize_times(seconds)
            for what, seconds in measure_mlflow(options.mlflow_python, options.runs).items()
        }
        ratios = {what: round(there[what]["median"] / here[what]["median"], 1) for what in BOUNDS}
        result |= {"mlflow": mlflow_version(options.mlflow_python), "mlflow_ms": there, "ratios": ratios}
        claims += [
            {
                "what": f"{what}: MLflow / Graftwerk",
                "measured": ratios[what],
                "unit": "x",
                "bound": bound,
                "at_most": False,
            }
            for what, bound in BOUNDS.items()
        ]
    write_results("api_latency", result, claims)


if __name__ == "__main__":
    main()
