"""What a supervisor does with what it cannot write down, on both databases."""

import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, update

from app import events
from app.db.session import Database
from app.db.tables import JobRow, now
from app.errors import ServiceOverloaded
from app.jobs import repository, service
from app.jobs.dispatch import Waker
from app.settings import Settings
from app.storage.protocol import ArtifactStore
from workers.host import persist
from workers.host.attempt import Attempt
from workers.host.worker import Worker
from workers.protocol.messages import Command, Ending, Message, Outcome, ProgressReport, SavedCheckpoint
from workers.runner.outcomes import lost_outcome
from workers.runner.process_group import ProcessGroup

DIGITS: dict[str, Any] = {
    "model": {"layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}]},
    "data": {"kind": "builtin", "name": "digits"},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
}


class RecordingWaker(Waker):
    """Wakes nobody, and notes whom it was to wake."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.sent, self.dropped = Counter[str](), Counter[str]()

    def wake(self, queue: str) -> None:
        self.woken.append(queue)


@pytest.fixture
def worker(database: Database, store: ArtifactStore, tmp_path: Path) -> Worker:
    return Worker(Settings(slots=2, home=tmp_path), database, store, RecordingWaker(), ["default"])


def submit(database: Database, **spec: Any) -> str:
    return database.run(
        repository.insert,
        owner="anna",
        name="job",
        spec=DIGITS | spec,
        data_schema={},
        inspection={},
        labels={},
        queue="default",
        priority=0,
    ).id


def claim_job(database: Database, **spec: Any) -> JobRow:
    submit(database, **spec)
    job = database.run(repository.claim, ["default"], "w", 30.0)
    assert job is not None
    return job


def test_a_job_whose_ground_is_gone_fails_and_says_so(database: Database, worker: Worker) -> None:
    job = claim_job(database, start_from={"checkpoint": "ckpt_gone"})
    Attempt(worker, job).run()
    found = database.run(repository.find, "anna", job.id)
    assert found.status == "failed"
    assert found.error is not None
    assert "ckpt_gone" in found.error["message"]


def test_what_cannot_be_recorded_costs_the_attempt_and_not_the_job(
    database: Database, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = claim_job(database)
    broken = deque([Command("cancel"), Outcome(Ending.SUCCEEDED)])  # commands go the other way
    monkeypatch.setattr(Attempt, "_next_message", lambda attempt, processes: broken.popleft())
    Attempt(worker, job).run()
    found = database.run(repository.find, "anna", job.id)
    assert (found.status, found.attempts) == ("queued", 1)


def test_nothing_stays_of_an_attempt_that_is_killed(
    database: Database, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[Path] = []

    def kill(attempt: Attempt, processes: ProcessGroup) -> Message | None:
        processes.kill()
        (folder,) = worker.spool.own_folder().glob("attempt-*")
        left.append(folder / "rows.bin")
        left[0].write_bytes(b"x")
        return lost_outcome("runner_died", "killed")

    monkeypatch.setattr(Attempt, "_next_message", kill)
    Attempt(worker, claim_job(database)).run()
    assert len(left) == 1
    assert not left[0].parent.exists()


def test_a_database_that_is_too_busy_is_waited_for(
    database: Database, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = claim_job(database)
    attempt = Attempt(worker, job)
    refusals, real = [1, 2], persist.record

    def busy(*args: Any) -> None:
        if refusals:
            refusals.pop()
            raise ServiceOverloaded
        real(*args)

    monkeypatch.setattr(persist, "record", busy)
    attempt._finish(Outcome(Ending.SUCCEEDED, result={}))
    assert database.run(repository.find, "anna", job.id).status == "succeeded"
    assert not refusals


@pytest.mark.parametrize("store_location", ["local"], indirect=True)
def test_the_lease_is_renewed_while_much_is_written_at_the_end(
    database: Database, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(Settings(slots=1, lease_seconds=1), database, store, RecordingWaker(), ["default"])
    job = claim_job(database)
    attempt = Attempt(worker, job)
    real, held = persist.record, []

    def slow(*args: Any) -> None:
        time.sleep(0.4)
        row = select(JobRow.lease_until > now()).where(JobRow.id == job.id)
        held.append(database.read(lambda session: session.scalar(row)))
        real(*args)

    database.run(lambda session: session.execute(update(JobRow).values(lease_until=now() + 0.5)))
    monkeypatch.setattr(persist, "record", slow)
    monkeypatch.setattr(persist, "MAX_REPORTS", 1)  # one takes as long here as many do
    attempt._renew_at = 0.0
    attempt._backlog.extend([ProgressReport(job_id=job.id)] * 5)
    attempt._finish(Outcome(Ending.SUCCEEDED, result={}))
    assert held == [True] * 6
    assert database.run(repository.find, "anna", job.id).status == "succeeded"


def phases(database: Database, job_id: str) -> list[str]:
    listed = database.read(events.list_events, job_id, 0, 100)
    return [row.data["phase"] for row in listed if row.kind == "phase"]


def test_reports_that_wait_together_are_written_in_one_transaction(database: Database, worker: Worker) -> None:
    job = claim_job(database)
    attempt = Attempt(worker, job)
    reports = [ProgressReport(job_id=job.id, phase=f"phase {number}") for number in range(20)]
    saved = SavedCheckpoint("ckpt_1", 1, 1.0, {}, (), job_id=job.id)
    attempt._backlog.extend([*reports, saved, reports[0], Outcome(Ending.SUCCEEDED, result={}, job_id=job.id)])
    commits = []
    event.listen(database.engine, "commit", commits.append)
    written = []
    while attempt._backlog:
        before = len(attempt._backlog)
        attempt._write()
        written.append(before - len(attempt._backlog))
    assert written == [16, 4, 1, 1, 1]
    assert len(commits) == len(written) + 1  # and one that looks for superseded checkpoints
    assert phases(database, job.id) == [report.phase for report in [*reports, reports[0]]]


def test_of_reports_that_wait_together_all_are_written_or_none(
    database: Database, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = claim_job(database)
    attempt = Attempt(worker, job)
    attempt._backlog.extend(ProgressReport(job_id=job.id, phase=phase) for phase in ("loading_data", "building"))
    calls, real = [], persist.record

    def interrupted(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise ServiceOverloaded
        real(*args)

    monkeypatch.setattr(persist, "record", interrupted)
    assert attempt._write() is False
    assert phases(database, job.id) == []
    assert attempt._write() is True
    assert phases(database, job.id) == ["loading_data", "building"]


def test_every_free_slot_looks_for_work(database: Database, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = {submit(database) for _ in range(3)}
    begun: list[str] = []
    go = threading.Event()

    def run(attempt: Attempt) -> None:
        begun.append(attempt.job.id)
        assert go.wait(10)
        database.run(service.succeed, attempt.job.id, attempt.fence, {})

    monkeypatch.setattr(Attempt, "run", run)
    worker.fill_free_slots()
    until = time.monotonic() + 10
    while len(begun) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    worker.fill_free_slots()  # no slot is free
    assert len(begun) == 2
    go.set()
    while len(begun) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert set(begun) == jobs
    worker.close()


def test_a_worker_that_drains_claims_nothing(database: Database, worker: Worker) -> None:
    submit(database)
    worker.draining.set()
    worker.run_waiting_jobs()
    assert database.run(repository.count_by_status)["queued"] == 1
