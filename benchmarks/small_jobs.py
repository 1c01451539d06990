"""Where the time of a small job goes, how many a minute, and the memory of all: ``python benchmarks/small_jobs.py``.

A service of its own (SQLite, embedded Valkey, one worker with two slots) trains jobs of 90 steps, each with validation,
a test and a final checkpoint. The stages of a job come from the service's log, the stamps of its points, and the clock
of a client that waits by a long poll; all are of one machine. The rate is that of one client that submits many jobs at
once. Memory is each process's share (PSS, from /proc/PID/smaps_rollup): shared pages count once.
"""

import argparse
import json
import time
from datetime import datetime
from statistics import median
from typing import Any

from machine import summarize_times, write_results
from processes import MeasuredProcess, cpu_seconds, measure_memory, table_by_role
from service import RunningService, run_service

STEPS, SLOTS, POLL_SECONDS = 90, 2, 0.2
SPEC: dict[str, Any] = {
    "name": "small",
    "model": {
        "layers": [
            {"kind": "Flatten"},
            {"kind": "Linear", "out_features": 32},
            {"kind": "ReLU"},
            {"kind": "Linear", "out_features": 10},
        ]
    },
    "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}, "test": {"fraction": 0.1}},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
    "training": {"optimizer": {"kind": "Adam", "lr": 0.001}, "steps": STEPS, "batch_size": 64},
}
LONG_SPEC = {**SPEC, "training": {**SPEC["training"], "steps": 1_000_000, "checkpoint": {"every_seconds": 3600.0}}}
LONG_STEPS = 500  # after which the memory of a running job is looked at
BOUNDS = {"job": 0.4, "rate": 200.0, "idle": 700.0}  # seconds, jobs a minute, MiB


def time_job(running: RunningService) -> dict[str, float]:
    """Run one job; return the moments of its life as the client sees them, in Unix seconds."""
    sent = time.time()
    job = running.submit(SPEC)
    answered = time.time()
    document = wait_for_end(running, job)
    seen = time.time()
    if document["status"] != "succeeded":
        raise SystemExit(f"the job {document['status']}: {document['error']}")
    params: dict[str, str | int] = {"names": "train/loss", "x": "time", "max_points": 10 * STEPS}
    body = running.http.get(f"/v1/jobs/{job}/metrics", params=params).raise_for_status().json()
    times = body["series"]["train/loss"]["x"]
    moments = {"sent": sent, "answered": answered, "first step": times[0], "last step": times[-1], "seen": seen}
    return moments | {event: stamp for event, stamp, _ in log_lines(running, job)} | phase_ends(running, job)


def wait_for_end(running: RunningService, job: str) -> dict[str, Any]:
    """Return the job once it has ended, by long polls."""
    headers: dict[str, str] = {}
    while True:
        response = running.http.get(f"/v1/jobs/{job}", params={"wait": 30}, headers=headers)
        headers = {"If-None-Match": response.headers["ETag"]}
        if response.status_code == 200 and (document := response.json())["finished_at"] is not None:
            return dict(document)


def log_lines(running: RunningService, job: str) -> list[tuple[str, float, dict[str, Any]]]:
    """Return event, Unix seconds and fields of each line in the log about a job's attempt."""
    lines = (json.loads(line) for line in running.log.read_text().splitlines() if job in line and "attempt_" in line)
    return [(line["event"], datetime.fromisoformat(line["timestamp"]).timestamp(), line) for line in lines]


def phase_ends(running: RunningService, job: str) -> dict[str, float]:
    """Return when each phase of the job's attempt ended, in Unix seconds."""
    stamp, line = next((stamp, line) for event, stamp, line in log_lines(running, job) if event == "attempt_timed")
    ends = {}
    for phase, ms in reversed(line["ms"].items()):
        ends[phase] = stamp
        stamp -= ms / 1000
    return ends


STAGES = (  # what, from when to when
    ("POST and inspection", "sent", "answered"),
    ("wake-up and claim", "answered", "attempt_started"),
    ("assignment and fork", "attempt_started", "starting"),
    ("data", "starting", "loading_data"),
    ("network, objective, optimizer", "loading_data", "building"),
    ("first step", "building", "first step"),
    ("other steps, evaluations", "first step", "last step"),
    ("last evaluation", "last step", "training"),
    ("test", "training", "testing"),
    ("final checkpoint", "testing", "saving"),
    ("end recorded", "saving", "attempt_ended"),
    ("seen by the client", "attempt_ended", "seen"),
    ("whole job", "sent", "seen"),
)


def time_many(running: RunningService, count: int) -> dict[str, float]:
    """Submit many jobs at once; return how fast they end, and the CPU time of each in the service's processes."""
    cpu, began = cpu_seconds(running.pid), time.monotonic()
    jobs = [running.submit(SPEC) for _ in range(count)]
    submitted = time.monotonic() - began
    while is_busy(running):
        time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - began
    ended = [running.http.get(f"/v1/jobs/{job}").json()["status"] for job in jobs]
    if set(ended) != {"succeeded"}:
        raise SystemExit(f"not all jobs succeeded: {ended}")
    return {
        "jobs": count,
        "submit_seconds": round(submitted, 2),
        "seconds": round(seconds, 2),
        "jobs_per_minute": round(60 * count / seconds, 1),
        "cpu_ms_per_job": round(1000 * (cpu_seconds(running.pid) - cpu) / count, 1),
    }


def is_busy(running: RunningService) -> bool:
    """Return whether a job waits or trains."""
    params = {"status": ["queued", "running"], "limit": 1}
    return bool(running.http.get("/v1/jobs", params=params).raise_for_status().json()["items"])


def measure_running(running: RunningService) -> list[MeasuredProcess]:
    """Return the memory of all processes while every slot trains."""
    jobs = [running.submit(LONG_SPEC) for _ in range(SLOTS)]
    for job in jobs:
        while running.http.get(f"/v1/jobs/{job}").json()["progress"].get("step", 0) < LONG_STEPS:
            time.sleep(POLL_SECONDS)
    memory = measure_memory(running.pid)
    for job in jobs:
        running.http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
        wait_for_end(running, job)
    return memory


def main() -> None:
    """Measure and write results/small_jobs.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=30, help="jobs one after the other, after the warm-up")
    parser.add_argument("--many", type=int, default=200, help="jobs submitted at once")
    parser.add_argument("--idle", type=float, default=10.0, help="seconds without a request before memory is measured")
    options = parser.parse_args()
    with run_service("--slots", str(SLOTS), LOG_JSON="1") as running:
        time.sleep(options.idle)
        fresh = measure_memory(running.pid)
        for _ in range(3):
            time_job(running)
        moments = [time_job(running) for _ in range(options.jobs)]
        many = time_many(running, options.many)
        training = measure_running(running)
        time.sleep(options.idle)
        idle = measure_memory(running.pid)
    stages = {what: summarize_times([job[end] - job[start] for job in moments]) for what, start, end in STAGES}
    whole = round(median(job["seen"] - job["sent"] for job in moments), 4)
    pss = round(max(sum(process.pss for process in idle), sum(process.pss for process in fresh)), 1)
    figures = (
        ("a job of 90 small steps, POST to the end seen by a long poll, median", whole, "s", BOUNDS["job"], True),
        ("small jobs of one client, two slots", many["jobs_per_minute"], "jobs/min", BOUNDS["rate"], False),
        ("memory (PSS) of an idle service", pss, "MiB", BOUNDS["idle"], True),
    )
    claims = [dict(zip(("what", "measured", "unit", "bound", "at_most"), figure, strict=True)) for figure in figures]
    tables = {"idle, fresh": fresh, "idle, after all jobs": idle, f"{SLOTS} jobs training": training}
    memory = {what: table_by_role(processes) for what, processes in tables.items()}
    write_results("small_jobs", {"stages_ms": stages, "many": many, "memory": memory}, claims)


if __name__ == "__main__":
    main()
