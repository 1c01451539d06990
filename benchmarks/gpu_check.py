"""What only a machine with a GPU can show: ``make gpu-check``.

Trains the digits examples through the real forkserver child on the GPU (float32, bf16, fp16, compiled), beside the
same job on the CPU; checks that every run learns, that the forkserver never touched CUDA, and that the GPU's memory
is back after each job. Exits with 1 if a check fails; prints one JSON document.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from app.spec.job import known_schema, parse_job
from workers import forkserver
from workers.assignment import Assignment
from workers.messages import Ending, Outcome, Report, receive

EXAMPLES = Path(__file__).parents[1] / "examples"
VARIANTS: list[dict[str, Any]] = [
    {"device": "cpu"},
    {"device": "cuda"},
    {"device": "cuda", "precision": "bf16"},
    {"device": "cuda", "precision": "fp16"},
    {"device": "cuda", "mode": "compiled"},
    {"device": "cuda", "mode": "compiled", "precision": "bf16"},
]
SLACK_MIB = 64  # of GPU memory that other processes may move meanwhile


def used_mib() -> int:
    """Return the GPU memory in use, in MiB."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return int(subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0])


def train(name: str, variant: dict[str, Any], folder: str) -> dict[str, Any]:
    """Run one attempt and return how it went."""
    spec = json.loads((EXAMPLES / f"{name}.json").read_text())
    spec["training"] |= variant
    job = parse_job(spec)
    schema = known_schema(job)
    assert schema is not None
    assignment = Assignment(
        job_id="job_check", fence=time.monotonic_ns(), spec=spec, data_schema=schema.model_dump(mode="json"),
        store_url=folder, data_root=folder, gpu=0 if variant["device"] == "cuda" else None,
    )  # fmt: skip
    started = time.monotonic()
    process, pipe = forkserver.start(assignment)
    first_step, progress = 0.0, {}
    while not isinstance(message := receive(pipe), Outcome):
        if isinstance(message, Report) and message.progress:
            progress = dict(message.progress)
            first_step = first_step or time.monotonic() - started
    process.join()
    return {
        "example": name, **variant, "ending": message.ending, "error": message.error,
        "seconds": round(time.monotonic() - started, 2), "first_report_seconds": round(first_step, 2),
        "steps_per_second": progress.get("rate"), "accuracy": progress.get("latest", {}).get("val/accuracy"),
    }  # fmt: skip


def main() -> int:
    """Run every check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="also write the JSON document here")
    options = parser.parse_args()
    forkserver.warm_up()
    before = used_mib()
    runs, failures = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("digits-mlp", "digits-cnn"):
            for variant in VARIANTS:
                run = train(name, variant, folder)
                run["gpu_memory_left_mib"] = used_mib() - before
                runs.append(run)
                if run["ending"] != Ending.SUCCEEDED or (run["accuracy"] or 0) < 0.9:
                    failures.append(f"{name} {variant}: {run['ending']}, {run['error']}, accuracy {run['accuracy']}")
                if run["gpu_memory_left_mib"] > SLACK_MIB:
                    failures.append(f"{name} {variant}: {run['gpu_memory_left_mib']} MiB not returned")
    gpu = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    name = subprocess.run(gpu, capture_output=True, text=True, check=True).stdout.strip()
    report = {"gpu": name, "runs": runs, "failures": failures}
    print(json.dumps(report, indent=2))
    if options.out:
        options.out.write_text(json.dumps(report, indent=2) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
