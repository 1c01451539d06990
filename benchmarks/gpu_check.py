"""What only a machine with a GPU can show: ``make gpu-check``; ``ARGS=--device cpu`` tries the script itself.

Every case is an attempt in a forkserver child, as a worker starts it. Checked are:

- learning: examples in float32, bf16 and fp16, eager and compiled, with an average of the weights, buckets of texts of
  unlike length, and pictures decoded by processes beside the training: each learns what it learns on a CPU;
- memory: after each of them the GPU has back what it lent, as after an attempt that is killed;
- resume: an attempt that is killed once to three times and goes on from its checkpoints ends with the same bits as one
  that nobody disturbed, and tells every point of every series once.

Exits with 1 if a check fails; writes results/gpu_check.json.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from gpu_cases import LEARNING_CASES, RESUME_CASES, GpuCase
from machine import write_results

from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from app.spec.job import named_dataset_schema, parse_job
from app.storage.catalog import open_store
from workers.children.describe import describe
from workers.data.files.content import Upload
from workers.protocol.assignment import Assignment, CheckpointRef, DatasetRef
from workers.protocol.messages import Ending, Outcome, ProgressReport, SavedCheckpoint, receive
from workers.runner import forkserver

EXAMPLES = Path(__file__).parents[1] / "examples"
MEMORY_TOLERANCE_MIB = 64  # of GPU memory that other processes may move meanwhile


def query_nvidia_smi(fields: str) -> str | None:
    """Return what the driver tells of the first GPU; `None` without one."""
    query = ["nvidia-smi", "--id=0", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except FileNotFoundError:
        return None


def used_mib() -> int:
    """Return the GPU memory in use, in MiB; 0 without a GPU."""
    return int(query_nvidia_smi("memory.used") or 0)


@dataclass
class AttemptLog:
    """The messages of an attempt, or of several in a row."""

    outcome: Outcome | None = None
    progress: Mapping[str, Any] = field(default_factory=dict)
    points: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    saved: list[SavedCheckpoint] = field(default_factory=list)
    seconds: float = 0.0
    first_step: float = 0.0  # seconds until the first report of one

    def add_report(self, report: ProgressReport, since: float) -> None:
        """Add a report."""
        if report.progress:
            self.progress = dict(report.progress)
            self.first_step = self.first_step or time.monotonic() - since
        for kind, data in report.events:
            if kind == "rewound":
                for name, points in self.points.items():
                    self.points[name] = [point for point in points if point[0] <= data["step"]]
        for name, block in report.series.items():
            self.points.setdefault(name, []).extend(zip(block.step, block.value, strict=True))

    def weights(self) -> str | None:
        """Return the digest of the final weights."""
        names = {file.name: file.sha256 for saved in self.saved if saved.final for file in saved.files}
        return names.get("weights.safetensors")


class AttemptRunner:
    """Runs attempts on a device, with a store in a folder."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device, self.fence = folder, device, 0
        self.store = open_store(str(folder / "store"), {})

    def attempt(self, case: GpuCase, plan: Mapping[str, Any], log: AttemptLog, killed_at: int | None = None) -> None:
        """Run an attempt that resumes where `log` ends; it is killed once it has reported step `killed_at`."""
        self.fence += 1
        began = time.monotonic()
        started = forkserver.start(replace(self._assignment(case, plan), resume_from=self._resume(log)))
        process, pipe = started.reporter, started.pipe
        log.outcome = None
        try:
            while not isinstance(message := receive(pipe), Outcome):
                if isinstance(message, SavedCheckpoint):
                    log.saved.append(message)
                elif isinstance(message, ProgressReport):
                    log.add_report(message, began)
                    if killed_at is not None and log.progress.get("step", 0) >= killed_at:
                        os.killpg(process.pid, signal.SIGKILL)  # as a worker does: it may have children
                        break
            else:
                log.outcome = message
        finally:
            process.join()
            pipe.close()
        log.seconds += time.monotonic() - began

    def _assignment(self, case: GpuCase, plan: Mapping[str, Any]) -> Assignment:
        spec = (
            json.loads((EXAMPLES / f"{case.spec}.json").read_text()) if isinstance(case.spec, str) else dict(case.spec)
        )
        spec["training"] = spec["training"] | {"device": self.device} | case.plan | plan
        registered, schema = self._register_dataset(case)
        schema = schema or named_dataset_schema(parse_job(spec))
        assert schema is not None
        return Assignment(
            job_id="job_check",
            fence=self.fence,
            spec=spec,
            data_schema=schema.model_dump(mode="json"),
            store_url=str(self.folder / "store"),
            data_root=str(self.folder),
            dataset=registered,
            loaders=case.loaders,
            gpus=(0,) if self.device == "cuda" else (),
        )

    def _register_dataset(self, case: GpuCase) -> tuple[DatasetRef | None, DataSchema | None]:
        if case.data is None:
            return None, None
        name, content = case.data()
        path = self.folder / name
        path.write_bytes(content)
        source = {"kind": "upload", "file": name}
        description = describe(Upload(path, UploadSource.model_validate(source)))
        if description.schema is None:
            raise SystemExit(f"{name}: {description.problems}")
        return DatasetRef(source, self.store.put_file(name, path).key), description.schema

    @staticmethod
    def _resume(log: AttemptLog) -> tuple[CheckpointRef, ...]:
        return tuple(
            CheckpointRef(each.id, each.step, tuple(asdict(file) for file in each.files))
            for each in reversed(log.saved)
        )


def check_learning(bench: AttemptRunner, case: GpuCase) -> tuple[dict[str, Any], list[str]]:
    """Return the figures of a training, and what is wrong with it."""
    before = used_mib()
    log = AttemptLog()
    bench.attempt(case, {}, log)
    unreturned = used_mib() - before
    accuracy = log.progress.get("latest", {}).get("val/accuracy")
    row = {
        "case": case.name,
        "seconds": round(log.seconds, 2),
        "first_step_seconds": round(log.first_step, 2),
        "steps_per_second": log.progress.get("rate"),
        "accuracy": accuracy,
        "gpu_memory_left_mib": unreturned,
    }
    wrong = []
    if log.outcome is None or log.outcome.ending is not Ending.SUCCEEDED:
        wrong.append(f"{case.name}: {log.outcome}")
    elif (accuracy or 0) < case.min_score:
        wrong.append(f"{case.name}: accuracy {accuracy}")
    if unreturned > MEMORY_TOLERANCE_MIB:
        wrong.append(f"{case.name}: {unreturned} MiB not returned")
    return row, wrong


def check_resuming(bench: AttemptRunner, case: GpuCase, draw: Random) -> tuple[dict[str, Any], list[str]]:
    """Return the figures of a training that is killed one to three times, and what is wrong with it."""
    plan = {"steps": 160, "checkpoint": {"every_steps": 25, "every_seconds": None, "keep_best": 0}}
    whole, pieces = AttemptLog(), AttemptLog()
    for log in (whole, pieces):
        kills = sorted(draw.randint(30, 150) for _ in range(draw.randint(1, 3))) if log is pieces else []
        for step in [*kills, None]:
            before = used_mib()
            bench.attempt(replace(case, plan={**case.plan, "epochs": None}), plan, log, step)
    unreturned = used_mib() - before
    equal = whole.weights() is not None and whole.weights() == pieces.weights()
    points = {name: [(step, repr(value)) for step, value in each] for name, each in whole.points.items()}
    same = points == {name: [(step, repr(value)) for step, value in each] for name, each in pieces.points.items()}
    row = {
        "case": case.name,
        "kills": len(kills),
        "weights_equal": equal,
        "points_equal": same,
        "gpu_memory_left_mib": unreturned,
    }
    wrong = [
        f"{case.name}: {what} differ after {len(kills)} kills"
        for what, fine in (("weights", equal), ("points", same))
        if not fine
    ]
    if unreturned > MEMORY_TOLERANCE_MIB:
        wrong.append(f"{case.name}: {unreturned} MiB not returned after a kill")
    return row, wrong


def main() -> int:
    """Run every check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--case", default="", help="only cases whose name has this")
    options = parser.parse_args()
    forkserver.warm_up()
    draw = Random(0)
    learning: list[dict[str, Any]] = []
    resuming: list[dict[str, Any]] = []
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = AttemptRunner(Path(folder), options.device)
        for rows, cases, check in (
            (learning, LEARNING_CASES, check_learning),
            (resuming, RESUME_CASES, lambda bench, case: check_resuming(bench, case, draw)),
        ):
            for case in cases:
                if options.case in case.name:
                    row, wrong = check(bench, case)
                    rows.append(row)
                    failures += wrong
                    sys.stderr.write(f"{json.dumps(row)} {' '.join(wrong)}\n")
    gpu = query_nvidia_smi("name,driver_version")
    write_results(
        "gpu_check",
        {"gpu": gpu, "learning": learning, "resuming": resuming, "failures": failures},
        _claims(learning, resuming),
    )
    return 1 if failures else 0


def _claims(learning: Sequence[Mapping[str, Any]], resuming: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not (learning and resuming):
        return []
    equal = sum(row["weights_equal"] and row["points_equal"] for row in resuming)
    unreturned = max(row["gpu_memory_left_mib"] for row in [*learning, *resuming])
    return [
        {
            "what": "on a GPU, killed and resumed to the same bits and points",
            "measured": 100 * equal / len(resuming),
            "unit": "% of the cases",
            "bound": 100,
            "at_most": False,
        },
        {
            "what": "GPU memory that an attempt keeps after its end",
            "measured": max(0, unreturned),
            "unit": "MiB",
            "bound": MEMORY_TOLERANCE_MIB,
            "at_most": True,
        },
    ]


if __name__ == "__main__":
    sys.exit(main())
