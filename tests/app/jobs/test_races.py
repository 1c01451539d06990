"""A verb that meets another change of the same job answers to what that change left, on both databases.

The first change holds its transaction open until the second has begun and waits; PostgreSQL would otherwise let the
second one read the row as it was.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import checkpoints
from app.db.session import Database
from app.db.tables import CheckpointRow, JobRow
from app.errors import InvalidState, NotFound
from app.ids import new_id
from app.jobs import deletion, repository, service

LOST = {"code": "worker_lost", "message": "gone", "pointer": ""}


def submit(session: Session, **spec: Any) -> str:
    row = repository.insert(
        session,
        owner="anna",
        name="job",
        spec={"retries": 3} | spec,
        data_schema={},
        inspection={},
        labels={},
        queue="default",
        priority=0,
    )
    return row.id


def queued(database: Database) -> str:
    return database.run(submit)


def running(database: Database) -> str:
    job_id = queued(database)
    database.run(repository.claim, ("default",), "w", 30.0)
    return job_id


def pausing(database: Database) -> str:
    job_id = running(database)
    database.run(service.pause, "anna", job_id)
    return job_id


def failed(database: Database) -> str:
    job_id = running(database)
    database.run(service.fail, job_id, 1, LOST)
    return job_id


def together(database: Database, first: Callable[[Session], Any], second: Callable[[Session], Any]) -> Any:
    """Let `first` change its rows, start `second`, and only when that waits commit `first`."""
    with ThreadPoolExecutor(1) as pool:
        with database.begin() as session:
            first(session)
            answer: Future[Any] = pool.submit(database.run, second)
            if database.is_sqlite:
                time.sleep(0.1)  # whoever writes waits for the one lock
            else:
                _wait_for_a_lock(database, answer)
        return answer.result(timeout=20)


def _wait_for_a_lock(database: Database, answer: Future[Any]) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    until = time.monotonic() + 10
    while time.monotonic() < until and not answer.done():
        if database.read(lambda session: session.scalar(waiting)):
            return
        time.sleep(0.01)


def claim(session: Session, job_id: str) -> Any:
    return repository.claim(session, ("default",), "w", 30.0)


def paused(session: Session, job_id: str) -> Any:
    return service.complete_pause(session, job_id, 1)


def succeeded(session: Session, job_id: str) -> Any:
    return service.succeed(session, job_id, 1, {})


def of_user(verb: Callable[[Session, str, str], Any]) -> Callable[[Session, str], Any]:
    return lambda session, job_id: verb(session, "anna", job_id)


RACES = {
    "cancel while it is claimed": (queued, claim, service.cancel, ("running", "cancel")),
    "cancel while it pauses": (pausing, paused, service.cancel, ("cancelled", None)),
    "pause while it is claimed": (queued, claim, service.pause, ("running", "pause")),
    "resume while it pauses": (pausing, paused, service.resume, ("queued", None)),
    "cancel while it succeeds": (running, succeeded, service.cancel, InvalidState),
    "pause while it succeeds": (running, succeeded, service.pause, InvalidState),
    "delete while it is retried": (failed, of_user(service.retry), deletion.delete, InvalidState),
    "retry while it is deleted": (failed, of_user(deletion.delete), service.retry, NotFound),
    "retry while it is retried": (failed, of_user(service.retry), service.retry, InvalidState),
}


@pytest.mark.parametrize("race", RACES)
def test_a_verb_answers_to_the_job_as_it_is(database: Database, race: str) -> None:
    begin, first, verb, expected = RACES[race]
    job_id = begin(database)
    if isinstance(expected, tuple):
        together(database, lambda session: first(session, job_id), lambda session: verb(session, "anna", job_id))
        row = database.run(repository.find, "anna", job_id)
        assert (row.status, row.wish) == expected
    else:
        with pytest.raises(expected):
            together(database, lambda session: first(session, job_id), lambda session: verb(session, "anna", job_id))


def with_checkpoint(database: Database) -> tuple[str, str]:
    job_id = running(database)
    checkpoint = new_id("ckpt")
    database.run(checkpoints.add, job_id, 1, id=checkpoint, step=1, epoch=1.0, values={}, files=[])
    database.run(service.succeed, job_id, 1, {})
    return job_id, checkpoint


def test_a_checkpoint_that_a_job_is_about_to_start_from_stays(database: Database) -> None:
    source, checkpoint = with_checkpoint(database)

    def fork(session: Session) -> None:
        checkpoints.pin(session, "anna", checkpoint)
        submit(session, start_from={"checkpoint": checkpoint})

    with pytest.raises(InvalidState, match="starts from"):
        together(database, fork, lambda session: deletion.delete(session, "anna", source))
    assert database.run(lambda session: session.get(CheckpointRow, checkpoint)) is not None


def fork_of(checkpoint: str) -> Callable[[Database], str]:
    def begin(database: Database) -> str:
        return database.run(lambda session: submit(session, start_from={"checkpoint": checkpoint}))

    return begin


def test_a_retried_fork_needs_its_start_until_it_has_a_checkpoint_of_its_own(database: Database) -> None:
    source, checkpoint = with_checkpoint(database)
    forks = [fork_of(checkpoint)(database) for _ in range(2)]
    for fork in forks:
        database.run(service.cancel, "anna", fork)
    database.run(checkpoints.add, forks[1], 0, id=new_id("ckpt"), step=1, epoch=1.0, values={}, files=[])
    database.run(deletion.delete, "anna", source)
    with pytest.raises(InvalidState, match="no checkpoint"):
        database.run(service.retry, "anna", forks[0])
    assert database.run(repository.find, "anna", forks[0]).status == "cancelled"
    assert database.run(service.retry, "anna", forks[1]).status == "queued"


def test_a_job_whose_data_set_is_gone_is_not_retried(database: Database) -> None:
    job_id = database.run(lambda session: submit(session, data={"kind": "dataset", "id": new_id("ds")}))
    database.run(service.cancel, "anna", job_id)
    with pytest.raises(InvalidState, match="no data set"):
        database.run(service.retry, "anna", job_id)


def test_a_row_that_was_seen_before_it_was_locked_is_read_anew(database: Database) -> None:
    job_id = running(database)

    def stale(session: Session) -> Any:
        seen = session.get_one(JobRow, job_id)
        assert seen.status == "running"
        with ThreadPoolExecutor(1) as pool:
            pool.submit(database.run, service.succeed, job_id, 1, {}).result(timeout=20)
        return repository.find_for_update(session, "anna", job_id).status

    if not database.is_sqlite:  # there nobody else writes meanwhile
        assert database.run(stale) == "succeeded"
