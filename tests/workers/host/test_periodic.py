"""Periodic duties: each is guarded, and leases are recovered although another worker is in the way."""

from collections.abc import Callable

import pytest

from app.db.session import Database
from app.jobs import repository
from app.settings import Settings
from app.storage.protocol import ArtifactStore
from tests.workers.host.test_worker import RecordingWaker, claim_job
from workers.host.duties import LeaseRecovery, duties
from workers.host.leases import LeaseObserver
from workers.host.periodic import Duty, PeriodicRunner
from workers.host.worker import Worker


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_job_whose_worker_stopped_in_the_middle_of_a_write_keeps_no_other_waiting(
    database_url: str, database: Database, store: ArtifactStore
) -> None:
    stopped, lost = claim_job(database).id, claim_job(database).id
    impatient = Database(database_url, lock_seconds=0.1)
    with database.begin() as session:
        repository.lock_for_attempt(session, stopped, 1)
        recovery = LeaseRecovery(Worker(Settings(slots=1), impatient, store, RecordingWaker(), ["default"]))
        recovery._observer = LeaseObserver(0.0)
        recovery.requeue_expired()
        assert database.run(repository.find, "anna", lost).status == "queued"
    assert database.run(repository.find, "anna", stopped).status == "running"
    impatient.close()


def recording(calls: list[str], name: str) -> Callable[[], None]:
    return lambda: calls.append(name)


def test_a_duty_that_fails_ends_no_other_and_is_due_again() -> None:
    calls: list[str] = []
    failures: list[tuple[str, str]] = []

    def fail() -> None:
        raise ValueError("broken")

    def note(name: str, error: Exception) -> None:
        failures.append((name, str(error)))

    table = (
        Duty("broken", 60.0, fail, note),
        Duty("often", 0.0, recording(calls, "often"), note),
        Duty("rare", 60.0, recording(calls, "rare"), note),
        Duty("later", 0.0, recording(calls, "later"), note, jitter=1e6),
    )
    runner = PeriodicRunner(table, round_seconds=1.0)
    for _ in range(3):
        runner.run_round()
    assert calls == ["often", "rare", "often", "often"]
    assert failures == [("broken", "broken")] * 3


def test_the_heartbeat_comes_first(database: Database, store: ArtifactStore) -> None:
    table = duties(Worker(Settings(slots=1), database, store, RecordingWaker(), ["default"]))
    assert table[0].name == "heartbeat"
    assert len({duty.name for duty in table}) == len(table)
