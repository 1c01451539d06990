"""Who is next, and where a waiting job stands, on both databases."""

import time
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app import heartbeat
from app.access import keys
from app.db.session import Database
from app.db.tables import JobRow, KeyRow, WorkerRow, now
from app.jobs import queue, repository, service
from app.jobs.queue import Hold, QueuePosition
from tests.app.jobs.test_repository import LOST, claim, force, submit


def all_claimed(database: Database, *queues: str) -> list[str]:
    found = []
    while (job := claim(database, queues)) is not None:
        found.append(job.id)
    return found


def place(database: Database, job_id: str, running_limit: int = 0) -> QueuePosition:
    def unit(session: Session) -> QueuePosition:
        return queue.queue_position(session, session.get_one(JobRow, job_id), running_limit)

    return database.read(unit)


def test_keys_take_turns_and_then_owners(database: Database) -> None:
    busy = [submit(database, key_id="key_1") for _ in range(3)]
    quiet = [submit(database, key_id="key_2") for _ in range(2)]
    other = submit(database, owner="bert", key_id="key_3")
    keyless = submit(database, owner="carl")
    order = all_claimed(database, "default", "gpu")
    assert order == [busy[0], other, keyless, quiet[0], busy[1], quiet[1], busy[2]]


def test_positions_are_the_order_of_claims(database: Database) -> None:
    running = submit(database, key_id="key_1", priority=9)
    assert getattr(claim(database), "id", None) == running
    waiting = [submit(database, key_id=f"key_{number % 3}", priority=number % 2) for number in range(9)]
    submit(database, not_before=time.time() + 3600)
    submit(database, queue="gpu")
    by_position = {place(database, job_id).position: job_id for job_id in waiting}
    order = all_claimed(database, "default")
    assert order == [by_position[position] for position in range(1, 10)]


@pytest.mark.parametrize("own", [True, False])
def test_a_key_runs_as_many_jobs_as_it_may(database: Database, own: bool) -> None:
    key, _ = database.run(keys.create, "anna", "x", ["write"])
    if own:
        database.run(lambda session: session.execute(update(KeyRow).values(limits={"running_jobs": 1})))
    mine, other = [submit(database, key_id=key.id) for _ in range(2)], submit(database, key_id="key_2")
    most = 50 if own else 1  # the key's own limit goes before the settings'

    def unit(session: Session) -> str | None:
        job = repository.claim(session, ["default"], "w", 30.0, most)
        return None if job is None else job.id

    assert [database.run(unit) for _ in range(3)] == [mine[0], other, None]
    assert place(database, mine[1], most) == QueuePosition(held_by=Hold.RUNNING_LIMIT)
    assert not database.read(queue.has_claimable_job, ["default"], most)
    database.run(service.succeed, mine[0], 1, {})
    assert database.read(queue.has_claimable_job, ["default"], most)
    assert place(database, mine[1], most).position == 1
    assert database.run(unit) == mine[1]


def test_what_a_job_waits_for(database: Database) -> None:
    job_id = submit(database)
    assert place(database, job_id) == QueuePosition(1, held_by=Hold.NO_WORKER)
    database.run(heartbeat.record_heartbeat, "w9", ["gpu"], 4)
    assert place(database, job_id).held_by == Hold.NO_WORKER
    database.run(heartbeat.record_heartbeat, "w1", ["gpu", "default"], 1)
    found = place(database, job_id)
    assert (found.position, found.held_by) == (1, None)
    assert found.starts_at == pytest.approx(time.time(), abs=60)
    force(database, job_id, not_before=now() + 60)
    assert place(database, job_id) == QueuePosition(held_by=Hold.NOT_BEFORE)
    database.run(heartbeat.mark_stopped, "w1")
    force(database, job_id, not_before=0.0)
    assert place(database, job_id).held_by == Hold.NO_WORKER


def test_a_silent_worker_is_taken_for_dead_and_later_forgotten(database: Database) -> None:
    database.run(heartbeat.record_heartbeat, "w1", ["default"], 3)
    database.run(heartbeat.record_heartbeat, "w1", ["default"], 2)
    assert database.read(heartbeat.live_worker_slots, "default") == {"w1": 2}
    database.run(lambda session: session.execute(update(WorkerRow).values(seen_at=now() - 60)))
    assert database.read(heartbeat.live_worker_slots) == {}
    database.run(lambda session: session.execute(update(WorkerRow).values(seen_at=now() - 7200)))
    database.run(heartbeat.record_heartbeat, "w2", ["default"], 1)
    names = database.read(lambda session: [row.name for row in session.query(WorkerRow)])
    assert names == ["w2"]


def test_the_start_is_estimated_by_what_running_jobs_tell(database: Database) -> None:
    database.run(heartbeat.record_heartbeat, "w1", ["default"], 1)
    running, waiting, last = submit(database), submit(database), submit(database)
    claim(database)
    assert place(database, waiting).starts_at is None  # nothing is known yet
    force(database, running, progress={"eta_seconds": 100.0}, updated_at=now() - 40)
    assert place(database, waiting).starts_at == pytest.approx(time.time() + 60, abs=20)
    assert place(database, last).starts_at is None  # nor how long one job takes
    ended = submit(database)
    force(database, ended, status="succeeded", started_at=now() - 500, finished_at=now() - 300)
    assert place(database, last).starts_at == pytest.approx(time.time() + 260, abs=20)


@pytest.mark.parametrize(
    ("position", "slots", "rests", "typical", "expected"),
    [
        (1, 2, [], None, 0.0),
        (2, 2, [], None, 0.0),
        (3, 2, [], None, None),
        (3, 2, [], 10.0, 10.0),
        (5, 2, [], 10.0, 20.0),
        (1, 2, [7.0, 3.0], None, 3.0),
        (2, 2, [7.0, 3.0], None, 7.0),
        (3, 2, [7.0, 3.0], 10.0, 13.0),
        (1, 2, [7.0, None], None, None),
        (1, 2, [7.0, None], 5.0, 5.0),
        (1, 0, [], 5.0, None),
    ],
)
def test_an_estimate(position: int, slots: int, rests: list[float | None], typical: Any, expected: Any) -> None:
    assert queue.estimate_wait(position, slots, rests, typical) == expected


LATER = "2999-01-01T00:00:00Z"
LATER_SECONDS = 32472144000.0


def test_a_job_waits_for_its_time_through_pause_and_retry(database: Database) -> None:
    spec = {"retries": 3, "not_before": LATER}
    job_id = submit(database, spec=spec, not_before=LATER_SECONDS)
    assert claim(database) is None
    assert not database.read(queue.has_claimable_job, ["default"])
    database.run(service.pause, "anna", job_id)
    assert database.run(service.resume, "anna", job_id).not_before == LATER_SECONDS
    database.run(service.cancel, "anna", job_id)
    assert database.run(service.retry, "anna", job_id).not_before == LATER_SECONDS
    assert claim(database) is None


def test_the_pause_after_losses_counts_once_the_time_has_come(database: Database) -> None:
    job_id = submit(database, spec={"retries": 5, "not_before": "2020-01-01T00:00:00+02:00"})
    for fence in (1, 2):
        assert claim(database) is not None
        database.run(service.record_loss, job_id, fence, LOST, 5)
    assert place(database, job_id).held_by == Hold.NOT_BEFORE
    database.run(service.pause, "anna", job_id)
    assert database.run(service.resume, "anna", job_id).not_before == 1577829600.0  # the user wants it now
    assert claim(database) is not None
