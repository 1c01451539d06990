"""A campaign on one service: rounds one after the other, each with its seed, its faults and its verdict."""

import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from app.errors import DatabaseUnavailable
from app.jobs.states import TERMINAL_STATUSES
from tests.acceptance.service import wait_until
from tests.faults import history as histories
from tests.faults.deployment import Deployment, is_alive
from tests.faults.history import AcknowledgedJob, GoldenRun, History, JobRecord
from tests.faults.invariants import find_violations, verify_file
from tests.faults.plan import Fault

TIMEOUT_SECONDS = 180.0  # seconds for a round's jobs to end, whatever happened to them
QUIET_SECONDS = 5.0  # within which the last process has ended


def digits_spec(name: str, layers: list[dict[str, Any]], **training: Any) -> dict[str, Any]:
    """Return a small job on the bundled digits; kept by steps alone, so that equal runs keep equal checkpoints."""
    checkpoint = {"every_steps": 40, "every_seconds": None, "keep_best": 0, "keep_last": 2}
    plan = {"epochs": 14, "batch_size": 64, "optimizer": {"kind": "Adam", "lr": 0.003}, "checkpoint": checkpoint}
    return {
        "version": 1,
        "name": name,
        "retries": 20,
        "model": {"layers": layers},
        "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
        "training": plan | training,
    }


FULL_SEGMENT = {"kind": "replay", "capacity": 50_000, "start_steps": 17_000}  # a segment of the buffer that is full


def environment_spec(name: str, environment: str, algorithm: str, model: dict[str, int], **data: Any) -> dict[str, Any]:
    """Return a small job whose network acts in an environment; `model` has the outputs of its parts."""
    checkpoint = {"every_steps": 40, "every_seconds": None, "keep_best": 0, "keep_last": 2}
    hidden = [{"kind": "Linear", "out_features": 16}, {"kind": "Tanh"}]
    parts = {part: {"layers": [*hidden, {"kind": "Linear", "out_features": width}]} for part, width in model.items()}
    return {
        "version": 1,
        "name": name,
        "retries": 20,
        "model": parts,
        "data": {"kind": "environment", "name": environment, "episodes": 4, **data},
        "objective": {"kind": algorithm},
        "training": {"steps": 300, "evaluate": {"every_steps": 50}, "checkpoint": checkpoint},
    }


SPECS = {
    each["name"]: each
    for each in (
        digits_spec(
            "dropout",
            [
                {"kind": "Flatten"},
                {"kind": "Linear", "out_features": 64},
                {"kind": "ReLU"},
                {"kind": "Dropout", "p": 0.2},
                {"kind": "Linear", "out_features": 10},
            ],
            schedule={"kind": "OneCycleLR", "max_lr": 0.01},
        ),
        digits_spec(
            "statistics",
            [
                {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3},
                {"kind": "BatchNorm2d"},
                {"kind": "ReLU"},
                {"kind": "Flatten"},
                {"kind": "Linear", "out_features": 10},
            ],
            optimizer={"kind": "SGD", "lr": 0.05, "momentum": 0.9},
            epochs=10,
            average={"kind": "ema", "decay": 0.99},
        ),
        environment_spec("replay", "Pendulum-v1", "sac", {"actor": 2, "critic": 1}, experience=FULL_SEGMENT),
        environment_spec("rollouts", "CartPole-v1", "ppo", {"actor": 2, "critic": 1}, copies=2),
    )
}


@dataclass
class Round:
    """What a round knows of itself."""

    campaign: "Campaign"
    random: random.Random
    number: int
    jobs: list[AcknowledgedJob] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def deployment(self) -> Deployment:
        """The service."""
        return self.campaign.deployment

    def plan(self, *strikes: Fault) -> None:
        """Put strikes in force."""
        self.deployment.faults.write(self.number, strikes)

    def submit(self, name: str | None = None, ends: tuple[str, ...] = ("succeeded",)) -> str:
        """Submit a job, whatever it takes, and return its id."""
        chosen = name or self.random.choice(sorted(SPECS))
        key = f"{self.campaign.name}-{self.number}-{len(self.jobs)}"
        job_id = self.deployment.submit(SPECS[chosen], key)
        self.jobs.append(AcknowledgedJob(job_id, key, chosen, ends))
        return job_id

    def read(self, job_id: str) -> JobRecord:
        """Return the job as the database tells it, however long that takes."""
        return self.campaign.read(job_id)

    def wait_until(
        self, condition: Callable[[JobRecord], Any], job_id: str, what: str, seconds: float = TIMEOUT_SECONDS
    ) -> JobRecord:
        """Wait until a job is as it should be."""
        found: JobRecord = wait_until(
            lambda: (record := self.read(job_id)) and condition(record) and record, what, seconds
        )
        return found

    def wait_for_points(self, job_id: str) -> JobRecord:
        """Wait until the job has points."""
        return self.wait_until(lambda record: record.series or record.status in TERMINAL_STATUSES, job_id, "a point")

    def wait_for_all(self) -> None:
        """Wait for the end of every job."""
        for job in self.jobs:
            with suppress(AssertionError):  # I1 says so
                self.wait_until(lambda record: record.status in TERMINAL_STATUSES, job.job_id, "the end")

    def verify_checkpoints(self) -> list[str]:
        """Verify what is listed at this moment. What is not listed any more when it is found broken, is no matter."""
        torn = []
        for job in self.jobs:
            for saved in self.read(job.job_id).checkpoints:
                for file in saved.files:
                    wrong = verify_file(self.deployment.store, file["path"], file["size"], file["sha256"])
                    still = wrong and saved.id in {each.id for each in self.read(job.job_id).checkpoints}
                    if still:
                        torn.append(f"{job.job_id}: {saved.id} was listed, and {file['name']} {wrong}")
        return torn


RoundKind = Callable[[Round], None]


class Campaign:
    """Rounds on a deployment, judged by what an undisturbed run of every spec has made there."""

    def __init__(self, at: Deployment) -> None:
        self.deployment = at
        self.name = f"{os.getpid()}-{time.time_ns()}"
        self.number = 0
        self.golden = self._record_golden_runs()

    def _record_golden_runs(self) -> dict[str, GoldenRun]:
        ids = {name: self.deployment.submit(document, f"{self.name}-{name}") for name, document in SPECS.items()}
        found = {}
        for name, job_id in ids.items():
            wait_until(
                lambda job_id=job_id: self.read(job_id).status in TERMINAL_STATUSES, "the golden run", TIMEOUT_SECONDS
            )
            found[name] = histories.golden_run(self.read(job_id))
        return found

    def read(self, job_id: str) -> JobRecord:
        """Return a job as the database tells it, however long that takes."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            try:
                record = self.deployment.db.read(histories.read_job, job_id)
            except DatabaseUnavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
                continue
            time.sleep(0.03)  # whoever asks again and again takes the processor from those he waits for
            assert record is not None, f"{job_id} does not exist"
            return record

    def run(self, kind: RoundKind, seed: int) -> dict[str, Any]:
        """Make one round; returns its figures, what struck, and what is wrong."""
        self.number += 1
        here = Round(self, random.Random(seed), self.number)
        began, wrong = time.monotonic(), []
        try:
            kind(here)
            here.wait_for_all()
        except (AssertionError, psutil.Error, httpx.HTTPError) as error:
            wrong.append(f"I1 the round did not come to its end: {type(error).__name__}: {error}")
        self.deployment.faults.write(self.number, [])
        left = self._leftover_processes()
        fired = self.deployment.faults.fired(self.number)
        found = History(
            here.jobs, {}, self.golden, self.deployment.store, left_running=left, torn=here.figures.pop("torn", [])
        )
        found.records = {
            job.job_id: record for job in here.jobs if (record := self._read_record(job.job_id)) is not None
        }
        struck = [{name: each[name] for name in ("point", "action")} for each in fired]
        recoveries = [seconds for each in fired for seconds in self._recovery(each, found)]
        return {
            "seconds": round(time.monotonic() - began, 2),
            "jobs": len(here.jobs),
            "struck": struck,
            "recovered": recoveries,
            "violations": wrong + find_violations(found),
            "figures": here.figures,
        }

    def _read_record(self, job_id: str) -> JobRecord | None:
        return self.deployment.db.read(histories.read_job, job_id)

    def _leftover_processes(self) -> list[str]:
        deadline = time.monotonic() + QUIET_SECONDS
        while (left := self.deployment.attempt_processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [f"process {process.pid}" for process in left if is_alive(process)]

    def _recovery(self, fired: Mapping[str, Any], history: History) -> list[float]:
        """Return the seconds from a kill to the first new point of every job that it interrupted."""
        if not fired["action"].startswith("kill") or fired["action"] == "kill_api":
            return []
        found = []
        for record in history.records.values():
            before = [event for event in record.events if event.at <= fired["at"]]
            fence = max((event.fence for event in before), default=0)
            owned = [event for event in before if event.kind == "status"]
            if not owned or owned[-1].data["to"] != "running":
                continue
            later = [event.at for event in record.events if event.kind == "metrics" and event.fence > fence]
            if later:
                found.append(round(later[0] - fired["at"], 2))
        return found
