"""How soon a job goes on after something died, with the settings as they are: ``python benchmarks/recovery.py``.

A service of its own (SQLite, embedded Valkey, one worker) trains the bundled digits with a checkpoint every second.
Time and again its attempt is killed, or its worker; what counts is the time from the kill to the event `rewound`: the
next attempt has loaded its checkpoint and begins its first step.
"""

import argparse
import time
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

import psutil
from machine import write_results
from service import RunningService, run_service

SPEC: dict[str, Any] = {
    "name": "recovery",
    "retries": 20,
    "model": {
        "layers": [
            {"kind": "Flatten"},
            {"kind": "Linear", "out_features": 128},
            {"kind": "ReLU"},
            {"kind": "Linear", "out_features": 10},
        ]
    },
    "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
    "training": {
        "optimizer": {"kind": "Adam", "lr": 0.001},
        "steps": 10**8,
        "batch_size": 64,
        "checkpoint": {"every_seconds": 1, "keep_best": 0},
        "evaluate": {"every_steps": 10**6},
    },
}
BOUNDS = {"attempt": 5.0, "worker": 45.0}  # seconds; a worker's lease of 30 s must run out first
TIMEOUT_SECONDS = 120.0


def find_worker(running: RunningService) -> psutil.Process:
    """Return the worker."""
    for process in psutil.process_iter(["cmdline", "environ"]):
        line, environment = process.info["cmdline"] or [], process.info["environ"] or {}
        if line[-2:] == ["-m", "workers"] and environment.get("GRAFTWERK_HOME") == str(running.home):
            return process
    raise SystemExit("there is no worker")


def find_attempt(running: RunningService) -> psutil.Process:
    """Return the process that trains, which the service's fork server has started."""
    processes = psutil.Process(running.pid).children(recursive=True)
    (attempt,) = [process for process in processes if process.name() == "attempt"]
    return attempt


@dataclass
class TrainingRun:
    """The job, and what has been read of its events."""

    service: RunningService
    job: str
    after: int = 0

    def wait_for_start(self, patience: float = TIMEOUT_SECONDS) -> float:
        """Return when the next attempt begins its first step, Unix seconds."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            params = {"after": self.after, "limit": 1000}
            response = self.service.http.get(f"/v1/jobs/{self.job}/events", params=params).raise_for_status()
            for event in response.json()["items"]:
                self.after = event["id"]
                if event["kind"] == "rewound":
                    return datetime.fromisoformat(event["at"]).timestamp()
            time.sleep(0.1)
        raise SystemExit(f"the job did not go on within {patience:g} s")

    def measure_recovery(self, victim: str) -> float:
        """Let it train for a while, kill, and return the seconds until it goes on."""
        time.sleep(3)
        worker = find_worker(self.service)
        attempt = find_attempt(self.service)
        killed = time.time()
        for process in [attempt] if victim == "attempt" else [worker, attempt]:
            process.kill()
        return self.wait_for_start() - killed


def main() -> None:
    """Measure and write results/recovery.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5, help="of each kind")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {}
    with run_service("--slots", "1") as running:
        training = TrainingRun(running, running.submit(SPEC))
        training.wait_for_start()
        for victim in BOUNDS:
            seconds[victim] = [round(training.measure_recovery(victim), 2) for _ in range(options.kills)]
        running.http.post(f"/v1/jobs/{training.job}/cancel").raise_for_status()
    claims = [
        {
            "what": f"a killed {victim}: the training goes on after, median",
            "measured": round(median(times), 1),
            "unit": "s",
            "bound": BOUNDS[victim],
            "at_most": True,
        }
        for victim, times in seconds.items()
    ]
    write_results("recovery", {"seconds": seconds}, claims)


if __name__ == "__main__":
    main()
