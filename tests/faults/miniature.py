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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from app import faultpoints
from app.access.audit import Actor
from app.access.idempotency import Answer
from app.access.quotas import limits_of
from app.db.session import Database
from app.db.tables import JobRow, now
from app.errors import DatabaseAway, GraftwerkError, StaleFence, StateForbids
from app.jobs import repository, service
from app.jobs.dispatch import Waker
from app.jobs.service import Submission
from app.jobs.states import Status
from app.settings import Settings
from app.spec.job import known_schema, parse_job
from app.storage.local import LocalStore
from tests.faults import history as histories
from tests.faults.history import Acknowledged, Golden, History
from tests.faults.invariants import every_listed_checkpoint_is_whole, violations
from workers.host.assignments import assignment_for
from workers.host.worker import Attempt, Worker
from workers.protocol.messages import Command, Ending, Outcome, Report, Saved
from workers.runner.main import _failed
from workers.training.loop import train
from workers.training.prepare import prepare

OWNER = "anna"
LOST = {"code": "worker_lost", "message": "gone", "pointer": ""}
SPEC: dict[str, Any] = {
    "version": 1, "name": "miniature", "retries": 2,
    "model": {"layers": [{"kind": "Flatten"}, {"kind": "Dropout", "p": 0.2}, {"kind": "Linear", "out_features": 10}]},
    "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
    "training": {"epochs": 4, "batch_size": 256, "optimizer": {"kind": "Adam", "lr": 0.01},
                 "schedule": {"kind": "OneCycleLR", "max_lr": 0.05},
                 "checkpoint": {"every_steps": 5, "every_seconds": None, "keep_last": 2, "keep_best": 0}},
}  # fmt: skip
STEPS = 24


class Killed(BaseException):
    """The process is dead: nothing may catch this but the round."""


class AtOnce(ThreadPoolExecutor):
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


class Silent(Waker):
    """Wakes nobody."""

    def __init__(self) -> None:
        self.sent, self.dropped = Counter[str](), Counter[str]()

    def wake(self, queue: str) -> None:
        pass


@dataclass
class Direct:
    """A context without a pipe: what the loop tells is written at once, by the real supervisor."""

    attempt: Attempt
    db: Database

    def report(self, report: Report) -> None:
        self._write(report)

    def save(self, saved: Saved) -> None:
        self._write(saved)

    def _write(self, message: Report | Saved) -> None:
        self.attempt._backlog.append(message)
        while self.attempt._backlog:
            self.attempt._write()

    def commands(self) -> list[Command]:
        wish = self.db.run(repository.wish_of, self.attempt.job.id, self.attempt.fence)
        return [Command("cancel" if wish == "cancel" else "pause")] if wish else []


@dataclass
class Miniature:
    """A service and its clients."""

    db: Database
    folder: Path
    golden: Mapping[str, Golden] = field(default_factory=dict)
    told: list[Acknowledged] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    faults: dict[tuple[str, int], Callable[[], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = LocalStore(self.folder / "artifacts")
        self.settings = Settings(slots=1, home=self.folder, max_attempts=5)
        self.worker = Worker(self.settings, self.db, self.store, Silent(), ["default"])
        self.passed: Counter[str] = Counter()
        self.synced: set[int] = set()  # inodes of files that would survive a power cut

    def at(self, point: str, hit: int, what: Callable[[], None] | None = None) -> None:
        """Let something happen when a point is passed for the `hit`-th time from now: a kill, unless it is told."""
        self.faults[point, self.passed[point] + hit] = what or _kill

    def pass_point(self, point: str) -> None:
        """Count a point, and strike."""
        self.passed[point] += 1
        if (strike := self.faults.pop((point, self.passed[point]), None)) is not None:
            strike()

    def __enter__(self) -> "Miniature":
        faultpoints.arm(self.pass_point)
        return self

    def __exit__(self, *error: object) -> None:
        faultpoints.arm(None)

    def submit(self, key: str | None = None, ends: tuple[str, ...] = ("succeeded",)) -> str:
        """Submit a job until it is acknowledged."""
        job, schema = parse_job(SPEC), known_schema(parse_job(SPEC))
        assert schema is not None
        actor, limits = Actor(OWNER, "key_1", "req_1", None), limits_of(Settings(), None, admin=True)
        submission, key = Submission(actor, limits, job, SPEC, schema, {}), key or f"key-{len(self.told)}"
        while True:
            with suppress(Killed):
                answer: Answer = service.create(self.db, submission, _rendered, max_queued=100, idempotency_key=key)
                self.told.append(Acknowledged(answer.body["id"], key, "miniature", ends))
                return str(answer.body["id"])

    def attempt(self) -> Attempt | None:
        """Claim the best job and train it as far as it goes; returns the attempt, dead or ended, if there was one."""
        job = self.worker._claim()
        if job is None:
            return None
        attempt = Attempt(self.worker, job, None)
        with suppress(Killed, StaleFence, StateForbids), tempfile.TemporaryDirectory(dir=self.folder) as work:
            assignment = self.db.run(assignment_for, job, self.settings, None)
            try:
                prepared = prepare(assignment, self.store, Direct(attempt, self.db), Path(work))
                prepared.saver._thread = AtOnce()
                outcome = train(prepared)
            except StaleFence:
                raise
            except GraftwerkError as error:
                outcome = _failed(error)
            attempt._finish(outcome)
        return attempt

    def expire(self) -> None:
        """Let every lease run out, and sweep."""
        leased = update(JobRow).where(JobRow.status == Status.RUNNING)
        self.db.run(lambda session: session.execute(leased.values(lease_until=now() - 1)))
        for job_id, fence in self.db.run(repository.expired):
            self.db.run(service.lose, job_id, fence, LOST, self.settings.max_attempts)
        self.db.run(lambda session: session.execute(update(JobRow).values(not_before=0.0)))

    def finish(self) -> None:
        """Train everything to its end, whatever dies."""
        for _ in range(8):
            self.attempt()
            self.expire()

    def zombie(self, attempt: Attempt, *messages: Report | Saved | Outcome) -> None:
        """Let an attempt that was superseded write what it still has to say."""
        attempt._backlog.extend(messages)
        with suppress(StaleFence):
            while attempt._backlog:
                attempt._write()

    def cancel(self, job_id: str) -> None:
        """Cancel a job, and be told so."""
        self.db.run(service.cancel, OWNER, job_id)
        place = next(place for place, each in enumerate(self.told) if each.job_id == job_id)
        seen = self.told[place]
        at = self.db.read(_clock)
        self.told[place] = Acknowledged(job_id, seen.key, seen.spec, ("cancelled", "succeeded"), at)

    def cut_the_power(self) -> None:
        """Take away the content of every stored file that was not synced."""
        for key in self.store.keys(""):
            path = self.store.fetch(key, Path())
            if path.stat().st_ino not in self.synced:
                os.truncate(path, 0)
        raise Killed

    def miss(self) -> None:
        """Let the database be away, once."""
        raise DatabaseAway

    def lose_the_answer(self) -> None:
        """Let the next commit succeed, and its answer not arrive."""
        real = self.db.run

        def run(*args: Any) -> Any:
            self.db.run = real  # type: ignore[method-assign]
            real(*args)
            raise DatabaseAway

        self.db.run = run  # type: ignore[method-assign]

    def lose(self, attempt: Attempt) -> None:
        """Record an attempt's loss, as a sweeper that is late; it is refused."""
        with suppress(StaleFence):
            self.db.run(service.lose, attempt.job.id, attempt.fence, LOST, self.settings.max_attempts)

    def look(self) -> None:
        """Note what is listed and broken at this moment."""
        self.torn += every_listed_checkpoint_is_whole(self.history())

    def history(self) -> History:
        """Return what there is to judge."""
        found = {each.job_id: self.db.read(histories.read, each.job_id) for each in self.told}
        records = {job_id: record for job_id, record in found.items() if record is not None}
        every = set(self.db.read(_ids))
        return History(self.told, records, self.golden, self.store, accepted=every, torn=self.torn)

    def violations(self) -> list[str]:
        """Judge."""
        return violations(self.history())


def undisturbed(here: Miniature) -> Golden:
    """Return the golden run."""
    with here:
        job_id = here.submit()
        here.attempt()
        record = here.db.read(histories.read, job_id)
        assert record is not None
        return histories.golden(record)


def succeeded() -> Outcome:
    """Return an outcome that a zombie may tell."""
    return Outcome(Ending.SUCCEEDED, result={})


def _kill() -> None:
    raise Killed


def _rendered(row: JobRow) -> dict[str, Any]:
    return {"id": row.id}


def _clock(session: Session) -> float:
    return float(session.scalar(now().select()) or time.time())


def _ids(session: Session) -> list[str]:
    return [row.id for row in session.query(JobRow)]
