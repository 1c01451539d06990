"""The service in one process and one thread: everything real but Celery and the process of an attempt.

A round takes a tenth of a second, so that there is time for every seeded bug. A kill is an exception that nobody
catches; after it the attempt says nothing any more, and its lease runs out.
"""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from app import faultpoints
from app.access.audit import Actor
from app.access.idempotency import IdempotentRequest, IdempotentResponse
from app.access.quotas import effective_limits
from app.db.session import Database
from app.db.tables import JobRow, now
from app.errors import DatabaseUnavailable, GraftwerkError, InvalidState, StaleFence
from app.jobs import repository, service
from app.jobs.dispatch import Waker
from app.jobs.service import Submission
from app.settings import Settings
from app.spec.job import named_dataset_schema, parse_job
from app.storage.local import LocalStore
from tests.faults import history as histories
from tests.faults.direct_context import DirectContext
from tests.faults.history import AcknowledgedJob, GoldenRun, History
from tests.faults.invariants import every_listed_checkpoint_is_whole, find_violations
from workers.host.assignments import build_assignment
from workers.host.attempt import Attempt
from workers.host.worker import Worker
from workers.protocol.messages import Ending, Outcome, ProgressReport, SavedCheckpoint
from workers.runner.main import _failure_outcome
from workers.training.loop import train
from workers.training.prepare import prepare

OWNER = "anna"
WORKER_LOST_ERROR = {"code": "worker_lost", "message": "gone", "pointer": ""}
INSPECTION = {"totals": {"parameters": 650}}  # as far as a submission reads it
SPEC: dict[str, Any] = {
    "version": 1,
    "name": "miniature",
    "retries": 2,
    "model": {"layers": [{"kind": "Flatten"}, {"kind": "Dropout", "p": 0.2}, {"kind": "Linear", "out_features": 10}]},
    "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
    "training": {
        "epochs": 4,
        "batch_size": 256,
        "optimizer": {"kind": "Adam", "lr": 0.01},
        "schedule": {"kind": "OneCycleLR", "max_lr": 0.05},
        "checkpoint": {"every_steps": 5, "every_seconds": None, "keep_last": 2, "keep_best": 0},
    },
}
STEPS = 24


class ProcessKilled(BaseException):
    """The process is dead: nothing may catch this but the round."""


class InlineExecutor(ThreadPoolExecutor):
    """Does in the caller's thread what is submitted, so that a kill stops everything where it is."""

    def __init__(self) -> None:
        super().__init__(1)

    def submit(self, what: Callable[..., Any], *args: Any, **values: Any) -> Future[Any]:  # type: ignore[override]
        done: Future[Any] = Future()
        try:
            done.set_result(what(*args, **values))
        except Exception as error:
            done.set_exception(error)
        return done


class NullWaker(Waker):
    """Wakes nobody."""

    def __init__(self) -> None:
        self.sent, self.dropped = Counter[str](), Counter[str]()

    def wake(self, queue: str) -> None:
        pass


@dataclass
class InProcessService:
    """A service and its clients."""

    db: Database
    folder: Path
    golden: Mapping[str, GoldenRun] = field(default_factory=dict)
    acknowledged: list[AcknowledgedJob] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    faults: dict[tuple[str, int], Callable[[], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = LocalStore(self.folder / "artifacts")
        self.settings = Settings(slots=1, home=self.folder, max_attempts=5)
        self.worker = Worker(self.settings, self.db, self.store, NullWaker(), ["default"])
        self.passed: Counter[str] = Counter()
        self.synced: set[int] = set()  # inodes of files that would survive a power cut

    def inject(self, point: str, hit: int, what: Callable[[], None] | None = None) -> None:
        """Let something happen when a point is passed for the `hit`-th time from now: a kill by default."""
        self.faults[point, self.passed[point] + hit] = what or _kill

    def pass_point(self, point: str) -> None:
        """Count a point, and strike."""
        self.passed[point] += 1
        if (strike := self.faults.pop((point, self.passed[point]), None)) is not None:
            strike()

    def __enter__(self) -> "InProcessService":
        faultpoints.arm(self.pass_point)
        return self

    def __exit__(self, *error: object) -> None:
        faultpoints.arm(None)

    def submit(
        self, key: str | None = None, ends: tuple[str, ...] = ("succeeded",), spec: Mapping[str, Any] = SPEC
    ) -> str:
        """Submit a job until it is acknowledged."""
        job, schema = parse_job(dict(spec)), named_dataset_schema(parse_job(dict(spec)))
        assert schema is not None
        actor, limits = Actor(OWNER, "key_1", "req_1", None), effective_limits(Settings(), None, admin=True)
        submission, key = (
            Submission(actor, limits, job, dict(spec), schema, INSPECTION),
            key or f"key-{len(self.acknowledged)}",
        )
        while True:
            with suppress(ProcessKilled):
                answer: IdempotentResponse = service.create(
                    self.db,
                    submission,
                    _render_row,
                    max_queued=100,
                    request=IdempotentRequest(submission.owner, key, ""),
                )
                self.acknowledged.append(AcknowledgedJob(answer.body["id"], key, spec["name"], ends))
                return str(answer.body["id"])

    def attempt(self) -> Attempt | None:
        """Claim the best job and train it as far as it goes; returns the attempt, dead or ended, if there was one."""
        job = self.worker._claim()
        if job is None:
            return None
        attempt = Attempt(self.worker, job)
        with suppress(ProcessKilled, StaleFence, InvalidState), tempfile.TemporaryDirectory(dir=self.folder) as work:
            assignment = self.db.run(build_assignment, job, self.settings, ())
            attempt._edits.assign(assignment.edits)
            try:
                prepared = prepare(assignment, self.store, DirectContext(attempt, self.db), Path(work))
                prepared.saver._executor = InlineExecutor()
                outcome = train(prepared)
            except StaleFence:
                raise
            except GraftwerkError as error:
                outcome = _failure_outcome(error)
            attempt._finish(outcome)
        return attempt

    def expire(self) -> None:
        """Let every lease run out, and sweep."""
        for lease in self.db.run(repository.running_leases):
            self.db.run(service.record_loss, lease.job_id, lease.fence, WORKER_LOST_ERROR, self.settings.max_attempts)
        self.db.run(lambda session: session.execute(update(JobRow).values(not_before=0.0)))

    def finish(self) -> None:
        """Train everything to its end, whatever dies."""
        for _ in range(8):
            self.attempt()
            self.expire()

    def zombie(self, attempt: Attempt, *messages: ProgressReport | SavedCheckpoint | Outcome) -> None:
        """Let an attempt that was superseded write what it still has to say."""
        attempt._backlog.extend(replace(message, job_id=attempt.job.id) for message in messages)
        with suppress(StaleFence):
            while attempt._backlog:
                attempt._write()

    def cancel(self, job_id: str) -> None:
        """Cancel a job and note the acknowledgement."""
        self.db.run(service.cancel, OWNER, job_id)
        place = next(place for place, each in enumerate(self.acknowledged) if each.job_id == job_id)
        seen = self.acknowledged[place]
        at = self.db.read(_set_clock)
        self.acknowledged[place] = AcknowledgedJob(job_id, seen.key, seen.spec, ("cancelled", "succeeded"), at)

    def lose_unsynced_data(self) -> None:
        """Take away the content of every stored file that was not synced."""
        for key in self.store.keys(""):
            path = self.store.fetch(key, Path())
            if path.stat().st_ino not in self.synced:
                os.truncate(path, 0)
        raise ProcessKilled

    def fail_next_transaction(self) -> None:
        """Let the database be away, once."""
        raise DatabaseUnavailable

    def lose_commit_response(self) -> None:
        """Let the next commit succeed, and its answer not arrive."""
        real = self.db.run

        def run(*args: Any) -> Any:
            self.db.run = real  # type: ignore[method-assign]
            real(*args)
            raise DatabaseUnavailable

        self.db.run = run  # type: ignore[method-assign]

    def record_late_loss(self, attempt: Attempt) -> None:
        """Record an attempt's loss, as a sweeper that is late; it is refused."""
        with suppress(StaleFence):
            self.db.run(
                service.record_loss, attempt.job.id, attempt.fence, WORKER_LOST_ERROR, self.settings.max_attempts
            )

    def verify_checkpoints(self) -> None:
        """Note what is listed and broken at this moment."""
        self.torn += every_listed_checkpoint_is_whole(self.history())

    def history(self) -> History:
        """Return what there is to judge."""
        found = {each.job_id: self.db.read(histories.read_job, each.job_id) for each in self.acknowledged}
        records = {job_id: record for job_id, record in found.items() if record is not None}
        every = set(self.db.read(_sequential_ids))
        return History(self.acknowledged, records, self.golden, self.store, accepted=every, torn=self.torn)

    def violations(self) -> list[str]:
        """Judge."""
        return find_violations(self.history())


def record_golden_run(here: InProcessService) -> GoldenRun:
    """Return the golden run."""
    with here:
        job_id = here.submit()
        here.attempt()
        record = here.db.read(histories.read_job, job_id)
        assert record is not None
        return histories.golden_run(record)


def succeeded_outcome() -> Outcome:
    """Return an outcome that a zombie may tell."""
    return Outcome(Ending.SUCCEEDED, result={})


def _kill() -> None:
    raise ProcessKilled


def _render_row(row: JobRow) -> dict[str, Any]:
    return {"id": row.id}


def _set_clock(session: Session) -> float:
    return float(session.scalar(now().select()) or time.time())


def _sequential_ids(session: Session) -> list[str]:
    return [row.id for row in session.query(JobRow)]
