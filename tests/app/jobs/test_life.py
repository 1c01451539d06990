"""Lives of jobs that Hypothesis makes up, beside a model of what ought to be; on both databases.

Attempts that were superseded keep writing all the while, and are refused.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy.orm import Session

from app import checkpoints
from app.access import idempotency
from app.db.session import Database
from app.errors import InvalidState, ServiceOverloaded, StaleFence
from app.ids import new_id
from app.jobs import deletion, repository, service
from app.jobs.states import TERMINAL_STATUSES, Status, Verb
from app.settings import Settings
from app.storage.local import LocalStore
from tests.app.jobs.job_model import Model, clear_jobs, end_backoff, is_forbidden, job_rows, loss_points
from tests.faults import history as histories
from tests.faults.history import History
from tests.faults.invariants import INVARIANTS
from workers.host.persist import record
from workers.protocol.messages import Ending, Message, Outcome, ProgressReport, SavedCheckpoint

LOST = {"code": "worker_lost", "message": "gone", "pointer": ""}
OWNER, CHECKED = "anna", ("I2", "I6", "I7", "I8")
MOST_QUEUED = 4
JOB: dict[str, Any] = {
    "name": "job",
    "data_schema": {},
    "inspection": {},
    "labels": {},
    "queue": "default",
    "priority": 0,
    "spec": {"retries": 3},
}


class Lives(RuleBasedStateMachine):
    """Everything that users, workers, sweepers and zombies do, in any order."""

    database: Database
    store: LocalStore

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, Model] = {}
        self.keys: dict[str, str] = {}
        self.database.run(clear_jobs)

    def run(self, unit: Callable[..., Any], *args: Any) -> Any:
        return self.database.run(unit, *args)

    def some(self, data: st.DataObject, *statuses: Status) -> tuple[str, Model]:
        ids = [job_id for job_id, model in self.jobs.items() if not statuses or model.status in statuses]
        job_id = data.draw(st.sampled_from(ids))
        return job_id, self.jobs[job_id]

    def any_in(self, *statuses: Status) -> bool:
        return any(model.status in statuses for model in self.jobs.values())

    @rule(key=st.sampled_from([None, "a", "b"]))
    def submit(self, key: str | None) -> None:
        def unit(session: Session) -> idempotency.IdempotentResponse:
            def effect() -> tuple[int, dict[str, Any]]:
                if repository.count_jobs(session, Status.QUEUED) >= MOST_QUEUED:
                    raise ServiceOverloaded
                return 201, {"id": repository.insert(session, owner=OWNER, **JOB).id}

            return idempotency.run_once(session, idempotency.IdempotentRequest(OWNER, key, "digest"), effect)

        queued = sum(model.status == Status.QUEUED for model in self.jobs.values())
        if key not in self.keys and queued >= MOST_QUEUED:
            with pytest.raises(ServiceOverloaded):
                self.run(unit)
            return
        answer = self.run(unit)
        if key in self.keys:
            assert (answer.replayed, answer.body["id"]) == (True, self.keys[key])
            return
        self.jobs[answer.body["id"]] = Model()
        if key is not None:
            self.keys[key] = answer.body["id"]

    @rule()
    def claim(self) -> None:
        job = self.run(repository.claim, ["default"], "w:1", 30.0)
        assert (job is not None) == self.any_in(Status.QUEUED)
        if job is not None:
            model = self.jobs[job.id]
            assert (model.status, job.fence) == (Status.QUEUED, model.fence + 1)
            model.status, model.fence = Status.RUNNING, job.fence
            model.steps = model.saved[-1] if model.saved else 0
            rewound = ProgressReport(events=(("rewound", {"step": model.steps}),))
            self.run(record, job.fence, replace(rewound, job_id=job.id), SETTINGS)

    @precondition(lambda self: self.any_in(Status.RUNNING))
    @rule(data=st.data(), count=st.integers(1, 3))
    def report(self, data: st.DataObject, count: int) -> None:
        job_id, model = self.some(data, Status.RUNNING)
        self.run(record, model.fence, replace(loss_points(model.steps, count), job_id=job_id), SETTINGS)
        model.steps += count

    @precondition(lambda self: self.any_in(Status.RUNNING))
    @rule(data=st.data())
    def save(self, data: st.DataObject) -> None:
        job_id, model = self.some(data, Status.RUNNING)
        self.run(record, model.fence, replace(self.saved(job_id, model.fence, model.steps), job_id=job_id), SETTINGS)
        model.saved.append(model.steps)
        model.losses = 0

    @precondition(lambda self: self.any_in(Status.RUNNING))
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        job_id, model = self.some(data, Status.RUNNING)
        assert self.run(repository.renew_lease, job_id, model.fence, 30.0).verb == model.wish

    @precondition(lambda self: self.any_in(Status.RUNNING))
    @rule(data=st.data(), ending=st.sampled_from(list(Ending)))
    def finish(self, data: st.DataObject, ending: Ending) -> None:
        job_id, model = self.some(data, Status.RUNNING)
        self.run(record, model.fence, replace(Outcome(ending, result={}, error=LOST), job_id=job_id), SETTINGS)
        wish = model.wish
        match ending:
            case Ending.SUCCEEDED:
                model.end(Verb.SUCCEED)
            case Ending.FAILED:
                model.end(Verb.FAIL)
            case Ending.LOST:
                self._lost(model)
            case Ending.CANCELLED:
                model.end(Verb.CANCEL)
            case _ if wish == "cancel":
                model.end(Verb.CANCEL)
            case Ending.PAUSED if wish == "pause":
                model.end(Verb.PAUSE)
            case _:
                model.end(Verb.RELEASE)

    @precondition(lambda self: self.any_in(Status.RUNNING))
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        job_id, model = self.some(data, Status.RUNNING)
        leases = self.run(repository.running_leases)
        assert [lease.fence for lease in leases if lease.job_id == job_id] == [model.fence]
        self.run(service.record_loss, job_id, model.fence, LOST, 5)
        self._lost(model)
        with pytest.raises(StaleFence):  # another sweeper saw it too
            self.run(service.record_loss, job_id, model.fence, LOST, 5)

    def _lost(self, model: Model) -> None:
        if model.wish == "cancel":
            model.end(Verb.CANCEL)
            return
        model.losses += 1
        model.end(Verb.FAIL if model.losses > 3 else Verb.LOSE)
        model.losses = min(model.losses, 3)
        self.run(end_backoff)

    @precondition(lambda self: any(model.fence for model in self.jobs.values()))
    @rule(data=st.data(), write=st.integers(0, 5))
    def zombie(self, data: st.DataObject, write: int) -> None:
        """An attempt that does not own the job, or not any more, writes something."""
        ids = [job_id for job_id, model in self.jobs.items() if model.fence > (model.status == Status.RUNNING)]
        if not ids:
            return
        job_id = data.draw(st.sampled_from(ids))
        model = self.jobs[job_id]
        fence = data.draw(st.integers(1, model.fence - (model.status == Status.RUNNING)))
        messages: list[Message] = [loss_points(model.steps, 2), self.saved(job_id, fence, model.steps)]
        messages += [Outcome(ending, error=LOST) for ending in (Ending.SUCCEEDED, Ending.LOST, Ending.FAILED)]

        def stale() -> None:
            if write < len(messages):
                self.run(record, fence, replace(messages[write], job_id=job_id), SETTINGS)
            else:
                self.run(repository.renew_lease, job_id, fence, 30.0)

        before = self.run(histories.read_job, job_id)
        with pytest.raises(StaleFence):
            stale()
        after = self.run(histories.read_job, job_id)
        assert len(after.events) == len(before.events)
        assert (after.series, after.lease_until) == (before.series, before.lease_until)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), verb=st.sampled_from(["cancel", "pause", "resume", "retry"]))
    def wish(self, data: st.DataObject, verb: str) -> None:
        job_id, model = self.some(data)
        status, wish = model.status, model.wish
        if is_forbidden(verb, status, wish):
            with pytest.raises(InvalidState):
                self.run(VERBS[verb], OWNER, job_id)
            return
        self.run(VERBS[verb], OWNER, job_id)
        if status == Status.RUNNING:
            model.wish = {"cancel": "cancel", "pause": "pause", "resume": None}[verb]
        elif verb == "retry":
            model.status, model.losses = Status.QUEUED, 0
        elif (verb, wish) != ("pause", "pause"):  # a wish that outlived its attempt comes true in the next one
            moved = {"cancel": Status.CANCELLED, "pause": Status.PAUSED, "resume": Status.QUEUED}
            model.status, model.wish = moved[verb], None
        self.run(end_backoff)

    @precondition(lambda self: self.any_in(*TERMINAL_STATUSES))
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        job_id, _ = self.some(data, *TERMINAL_STATUSES)
        self.run(deletion.purge, OWNER, job_id)
        del self.jobs[job_id]

    def saved(self, job_id: str, fence: int, step: int) -> SavedCheckpoint:
        return SavedCheckpoint(new_id("ckpt"), step, 0.0, {}, ())

    @invariant()
    def rows_are_as_they_ought_to_be(self) -> None:
        found = self.database.read(job_rows)
        ought = {
            job_id: (str(model.status), model.fence, model.wish, model.losses) for job_id, model in self.jobs.items()
        }
        assert found == ought

    def teardown(self) -> None:
        records = {job_id: self.database.read(histories.read_job, job_id) for job_id in self.jobs}
        for job_id, model in self.jobs.items():
            steps, _ = records[job_id].series.get("train/loss", ((), b""))
            assert steps == tuple(range(1, model.steps + 1))
            listed = self.database.read(checkpoints.list_checkpoints, job_id)
            assert sorted(row.step for row in listed) == sorted(model.saved)
        past = History([], records, {}, self.store)
        assert [told for name in CHECKED for told in INVARIANTS[name](past)] == []


SETTINGS = Settings()
VERBS: dict[str, Callable[..., Any]] = {
    "cancel": service.cancel,
    "pause": service.pause,
    "resume": service.resume,
    "retry": service.retry,
}


def test_lives_are_as_they_ought_to_be(database: Database, tmp_path: Any) -> None:
    class Here(Lives):
        pass

    Here.database, Here.store = database, LocalStore(tmp_path / "store")
    bounded = settings(
        max_examples=15,
        stateful_step_count=25,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Here, settings=bounded)  # type: ignore[no-untyped-call]
