"""How long after its POST a job takes its first step on a warm worker: ``python benchmarks/start_latency.py``.

A service of its own (SQLite, embedded Valkey, one worker) gets one job after another. The end of the first step is the
`time` of the first point of `train/loss`, which the training process stamps; the beginning is the client's clock before
it sends the request. Both clocks are one machine's. Beside it: a fresh Python that imports torch and takes one step.
"""

import argparse
import subprocess
import sys
import time
from statistics import median
from typing import Any

from machine import summarize_times, write_results
from service import RunningService, run_service

STEPS = 20
SPEC: dict[str, Any] = {
    "name": "start",
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
    "training": {"optimizer": {"kind": "Adam", "lr": 0.001}, "steps": STEPS, "batch_size": 64},
}
FRESH_SCRIPT = """
import torch
torch.set_num_threads(1)
network = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
optimizer = torch.optim.Adam(network.parameters(), fused=True)
torch.nn.functional.cross_entropy(network(torch.randn(64, 64)), torch.randint(10, (64,))).backward()
optimizer.step()
"""
BOUND = 0.25  # seconds


def first_step_seconds(running: RunningService) -> tuple[float, float]:
    """Run one job; return the seconds from its POST to the response, and to the end of its first step."""
    sent = time.time()
    job = running.submit(SPEC)
    answered = time.time()
    document = running.wait(job)
    if document["status"] != "succeeded":
        raise SystemExit(f"the job {document['status']}: {document['error']}")
    params: dict[str, str | int] = {"names": "train/loss", "x": "time", "max_points": 10 * STEPS}
    body = running.http.get(f"/v1/jobs/{job}/metrics", params=params).raise_for_status().json()
    return answered - sent, body["series"]["train/loss"]["x"][0] - sent


def fresh_interpreter_seconds() -> float:
    """Return the seconds that a fresh interpreter needs to its first step."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", FRESH_SCRIPT], check=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure and write results/start_latency.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50, help="jobs after the warm-up")
    parser.add_argument("--warm", type=int, default=3, help="jobs before that are not counted")
    options = parser.parse_args()
    with run_service("--slots", "1") as running:
        for _ in range(options.warm):
            first_step_seconds(running)
        answers, steps = zip(*[first_step_seconds(running) for _ in range(options.jobs)], strict=True)
    alone = [fresh_interpreter_seconds() for _ in range(3)]
    claim = {
        "what": "POST to the end of the first step, median",
        "measured": round(median(steps), 4),
        "unit": "s",
        "bound": BOUND,
        "at_most": True,
    }
    result = {
        "post_to_answer_ms": summarize_times(answers),
        "post_to_first_step_ms": summarize_times(steps),
        "fresh_python_to_first_step_ms": summarize_times(alone),
        "ratios": {"fresh Python / service": round(median(alone) / median(steps), 1)},
    }
    write_results("start_latency", result, [claim])


if __name__ == "__main__":
    main()
