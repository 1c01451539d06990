"""A laboratory for attempts: a worker, its database, and real processes of attempts that tests look at."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
from sqlalchemy import select

from app.db.session import Database
from app.db.tables import EventRow, JobRow
from app.jobs import repository
from app.spec.job import named_dataset_schema, parse_job
from workers.host.attempt import Attempt
from workers.host.worker import Worker

LINEAR = [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}]
TIMEOUT_SECONDS = 90.0


def spec(layers: list[dict[str, Any]] = LINEAR, **changes: Any) -> dict[str, Any]:
    training = {"steps": 10**9, "device": "cpu", "checkpoint": {"every_steps": 50, "every_seconds": None}}
    return {
        "model": {"layers": layers},
        "data": {"kind": "builtin", "name": "digits"},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}},
        "training": training,
    } | changes


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)
    return value


@dataclass
class Laboratory:
    """A worker, and one real attempt at a time."""

    db: Database
    worker: Worker
    processes: list[psutil.Process] = field(default_factory=list)

    def submit(self, document: dict[str, Any]) -> str:
        schema = named_dataset_schema(parse_job(document))
        assert schema is not None
        values = {"name": "job", "spec": document, "inspection": {}, "labels": {}, "queue": "default", "priority": 0}
        values |= {"max_seconds": document.get("max_seconds"), "data_schema": schema.model_dump(mode="json")}
        return self.db.run(repository.insert, owner="anna", **values).id

    @contextmanager
    def attempt(self) -> Iterator[threading.Thread]:
        """Start an attempt at the next job, in a thread, and wait for its end afterwards."""
        before = set(self._forked())
        job = self.worker._claim()
        assert job is not None
        thread = threading.Thread(target=Attempt(self.worker, job).run)
        thread.start()
        try:
            wait_until(lambda: set(self._forked()) - before or not thread.is_alive(), "a process of the attempt")
            self.processes += set(self._forked()) - before  # it may have ended already
            yield thread
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive()
        finally:
            for process in self.processes:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
            thread.join(TIMEOUT_SECONDS)

    def _forked(self) -> list[psutil.Process]:
        servers = [each for each in psutil.Process().children() if "forkserver" in " ".join(each.cmdline())]
        return [child for server in servers for child in server.children() if child.status() != "zombie"]

    def job(self) -> JobRow:
        return self.db.read(lambda session: session.scalars(select(JobRow)).one())

    def events(self, kind: str) -> list[dict[str, Any]]:
        query = select(EventRow.data).where(EventRow.kind == kind).order_by(EventRow.seq)
        return self.db.read(lambda session: list(session.scalars(query)))

    def wait_for_step(self, step: int) -> int:
        reached: int = wait_until(lambda: (at := self.job().progress.get("step", 0)) >= step and at, f"step {step}")
        return reached

    def wait_for_phase(self, phase: str) -> None:
        wait_until(lambda: self.job().phase == phase, f"the phase {phase}")
