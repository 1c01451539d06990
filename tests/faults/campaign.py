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

from app.errors import DatabaseAway
from app.jobs.states import ENDED
from tests.acceptance.service import until
from tests.faults import history as histories
from tests.faults.deployment import Deployment, alive
from tests.faults.history import Acknowledged, Golden, History, Record
from tests.faults.invariants import broken, violations
from tests.faults.plan import Strike

PATIENCE = 180.0  # seconds for a round's jobs to end, whatever happened to them
QUIET_SECONDS = 5.0  # within which the last process has ended


def spec(name: str, layers: list[dict[str, Any]], **training: Any) -> dict[str, Any]:
    """Return a small job on the bundled digits; kept by steps alone, so that equal runs keep equal checkpoints."""
    checkpoint = {"every_steps": 40, "every_seconds": None, "keep_best": 0, "keep_last": 2}
    plan = {"epochs": 14, "batch_size": 64, "optimizer": {"kind": "Adam", "lr": 0.003}, "checkpoint": checkpoint}
    return {
        "version": 1, "name": name, "retries": 20, "model": {"layers": layers},
        "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
        "training": plan | training,
    }  # fmt: skip


SPECS = {
    each["name"]: each
    for each in (
        spec("dropout",
             [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 64}, {"kind": "ReLU"},
              {"kind": "Dropout", "p": 0.2}, {"kind": "Linear", "out_features": 10}],
             schedule={"kind": "OneCycleLR", "max_lr": 0.01}),
        spec("statistics",
             [{"kind": "Conv2d", "out_channels": 4, "kernel_size": 3}, {"kind": "BatchNorm2d"}, {"kind": "ReLU"},
              {"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}],
             optimizer={"kind": "SGD", "lr": 0.05, "momentum": 0.9}, epochs=10,
             average={"kind": "ema", "decay": 0.99}),
    )
}  # fmt: skip


@dataclass
class Round:
    """What a round knows of itself."""

    campaign: "Campaign"
    random: random.Random
    number: int
    jobs: list[Acknowledged] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def at(self) -> Deployment:
        """The service."""
        return self.campaign.at

    def plan(self, *strikes: Strike) -> None:
        """Put strikes in force."""
        self.at.faults.write(self.number, strikes)

    def submit(self, name: str | None = None, ends: tuple[str, ...] = ("succeeded",)) -> str:
        """Submit a job, whatever it takes, and return its id."""
        chosen = name or self.random.choice(sorted(SPECS))
        key = f"{self.campaign.name}-{self.number}-{len(self.jobs)}"
        job_id = self.at.submit(SPECS[chosen], key)
        self.jobs.append(Acknowledged(job_id, key, chosen, ends))
        return job_id

    def read(self, job_id: str) -> Record:
        """Return the job as the database tells it, however long that takes."""
        return self.campaign.read(job_id)

    def until(self, condition: Callable[[Record], Any], job_id: str, what: str, seconds: float = PATIENCE) -> Record:
        """Wait until a job is as it should be."""
        found: Record = until(lambda: (record := self.read(job_id)) and condition(record) and record, what, seconds)
        return found

    def trains(self, job_id: str) -> Record:
        """Wait until the job has points."""
        return self.until(lambda record: record.series or record.status in ENDED, job_id, "a point")

    def ended(self) -> None:
        """Wait for the end of every job."""
        for job in self.jobs:
            with suppress(AssertionError):  # I1 says so
                self.until(lambda record: record.status in ENDED, job.job_id, "the end")

    def look(self) -> list[str]:
        """Verify what is listed at this moment. What is not listed any more when it is found broken, is no matter."""
        torn = []
        for job in self.jobs:
            for saved in self.read(job.job_id).checkpoints:
                for file in saved.files:
                    wrong = broken(self.at.store, file["path"], file["size"], file["sha256"])
                    still = wrong and saved.id in {each.id for each in self.read(job.job_id).checkpoints}
                    if still:
                        torn.append(f"{job.job_id}: {saved.id} was listed, and {file['name']} {wrong}")
        return torn


Kind = Callable[[Round], None]


class Campaign:
    """Rounds on a deployment, judged by what an undisturbed run of every spec has made there."""

    def __init__(self, at: Deployment) -> None:
        self.at = at
        self.name = f"{os.getpid()}-{time.time_ns()}"
        self.number = 0
        self.golden = self._undisturbed()

    def _undisturbed(self) -> dict[str, Golden]:
        ids = {name: self.at.submit(document, f"{self.name}-{name}") for name, document in SPECS.items()}
        found = {}
        for name, job_id in ids.items():
            until(lambda job_id=job_id: self.read(job_id).status in ENDED, "the golden run", PATIENCE)
            found[name] = histories.golden(self.read(job_id))
        return found

    def read(self, job_id: str) -> Record:
        """Return a job as the database tells it, however long that takes."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                record = self.at.db.read(histories.read, job_id)
            except DatabaseAway:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
                continue
            time.sleep(0.03)  # whoever asks again and again takes the processor from those he waits for
            assert record is not None, f"{job_id} does not exist"
            return record

    def run(self, kind: Kind, seed: int) -> dict[str, Any]:
        """Make one round; returns its figures, what struck, and what is wrong."""
        self.number += 1
        here = Round(self, random.Random(seed), self.number)
        began, wrong = time.monotonic(), []
        try:
            kind(here)
            here.ended()
        except (AssertionError, psutil.Error, httpx.HTTPError) as error:
            wrong.append(f"I1 the round did not come to its end: {type(error).__name__}: {error}")
        self.at.faults.write(self.number, [])
        left = self._left()
        fired = self.at.faults.fired(self.number)
        found = History(here.jobs, {}, self.golden, self.at.store, left_running=left, torn=here.figures.pop("torn", []))
        found.records = {job.job_id: record for job in here.jobs if (record := self._found(job.job_id)) is not None}
        struck = [{name: each[name] for name in ("point", "action")} for each in fired]
        recoveries = [seconds for each in fired for seconds in self._recovery(each, found)]
        return {
            "seconds": round(time.monotonic() - began, 2), "jobs": len(here.jobs), "struck": struck,
            "recovered": recoveries, "violations": wrong + violations(found), "figures": here.figures,
        }  # fmt: skip

    def _found(self, job_id: str) -> Record | None:
        return self.at.db.read(histories.read, job_id)

    def _left(self) -> list[str]:
        deadline = time.monotonic() + QUIET_SECONDS
        while (left := self.at.runners()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [f"process {process.pid}" for process in left if alive(process)]

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
