"""Guarded transitions, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import update

from app import events
from app.db.session import Database
from app.db.tables import JobRow, now
from app.errors import InvalidState, NotFound, StaleFence
from app.jobs import deletion, listing, queue, repository, service
from app.jobs.states import TERMINAL_STATUSES, TRANSITIONS, Status, Verb

LOST = {"code": "worker_lost", "message": "gone", "pointer": ""}


def submit(database: Database, owner: str = "anna", **values: Any) -> str:
    base: dict[str, Any] = {
        "owner": owner,
        "name": "job",
        "spec": {"retries": 3},
        "data_schema": {},
        "inspection": {},
        "labels": {},
        "queue": "default",
        "priority": 0,
    }
    return database.run(repository.insert, **(base | values)).id


def claim(database: Database, queues: tuple[str, ...] = ("default",)) -> JobRow | None:
    return database.run(repository.claim, queues, "w1", 30.0)


def force(database: Database, job_id: str, **values: Any) -> None:
    database.run(lambda session: session.execute(update(JobRow).where(JobRow.id == job_id).values(**values)))


def test_a_claim_counts_the_fence_up_and_leases(database: Database) -> None:
    job_id = submit(database)
    job = claim(database)
    assert job is not None
    assert (job.id, job.status, job.fence, job.worker) == (job_id, "running", 1, "w1")
    assert claim(database) is None
    assert database.run(repository.renew_lease, job_id, 1, 30.0) == repository.AttemptRequests(None, 0)


def test_claims_go_by_priority_then_fairness_then_age(database: Database) -> None:
    first, second = (submit(database, key_id="key_1") for _ in range(2))
    other = submit(database, owner="bert", key_id="key_2")
    urgent = submit(database, key_id="key_1", priority=5)
    order = []
    while (job := claim(database)) is not None:
        order.append(job.id)
    assert order == [urgent, other, first, second]


def test_a_claim_looks_at_its_own_queues_only(database: Database) -> None:
    submit(database, queue="gpu")
    assert claim(database) is None
    assert claim(database, ("default", "gpu")) is not None


def test_a_job_is_claimed_once_by_many_workers(database: Database) -> None:
    expected = {submit(database) for _ in range(12)}
    with ThreadPoolExecutor(4) as pool:
        claimed = [job.id for job in pool.map(lambda _: claim(database), range(40)) if job is not None]
    assert len(claimed) == 12
    assert set(claimed) == expected


@pytest.mark.parametrize("verb", list(Verb))
@pytest.mark.parametrize("status", list(Status))
def test_only_the_table_s_transitions_happen(database: Database, verb: Verb, status: Status) -> None:
    job_id = submit(database)
    force(database, job_id, status=status)
    sources, target = TRANSITIONS[verb]
    if status in sources:
        assert database.run(repository.transition, job_id, verb).status == target
        last = database.run(events.list_events, job_id, 0, 10)[-1]
        assert (last.kind, last.data["from"], last.data["to"]) == ("status", status, target)
    else:
        with pytest.raises(InvalidState):
            database.run(repository.transition, job_id, verb)


def test_a_stale_fence_changes_nothing(database: Database) -> None:
    job_id = submit(database)
    claim(database)
    database.run(service.record_loss, job_id, 1, LOST, 5)
    claim(database)
    for write in (
        lambda: database.run(repository.lock_for_attempt, job_id, 1),
        lambda: database.run(repository.renew_lease, job_id, 1, 30.0),
        lambda: database.run(repository.find_requests, job_id, 1),
        lambda: database.run(service.succeed, job_id, 1, {}),
        lambda: database.run(service.fail, job_id, 1, LOST),
    ):
        with pytest.raises(StaleFence):
            write()
    assert database.run(repository.find, "anna", job_id).status == "running"


def test_losses_are_counted_and_end_in_failure(database: Database) -> None:
    job_id = submit(database, spec={"retries": 1})
    claim(database)
    assert database.run(service.record_loss, job_id, 1, LOST, 5)
    claim(database)
    assert not database.run(service.record_loss, job_id, 2, LOST, 5)
    job = database.run(repository.find, "anna", job_id)
    assert job.status == "failed"
    assert job.error is not None
    assert job.error["retryable"]


def test_a_lease_differs_after_each_renewal_and_is_lost_once(database: Database) -> None:
    job_id = submit(database)
    assert database.run(repository.running_leases) == []
    claim(database)
    (first,) = database.run(repository.running_leases)
    database.run(repository.renew_lease, job_id, 1, 30.0)
    (second,) = database.run(repository.running_leases)
    assert (first.job_id, first.fence) == (second.job_id, second.fence) == (job_id, 1)
    assert first != second
    assert database.run(service.record_loss, job_id, 1, LOST, 5)
    with pytest.raises(StaleFence):
        database.run(service.record_loss, job_id, 1, LOST, 5)


def test_a_second_loss_waits_before_the_next_attempt(database: Database) -> None:
    job_id = submit(database)
    for fence in (1, 2):
        assert claim(database) is not None
        database.run(service.record_loss, job_id, fence, LOST, 5)
    assert claim(database) is None
    force(database, job_id, not_before=0.0)
    assert claim(database) is not None


def test_workers_see_what_waits_in_their_queues(database: Database) -> None:
    assert not database.read(queue.has_claimable_job, ["default"])
    job_id = submit(database)
    assert database.read(queue.has_claimable_job, ["default"])
    assert not database.read(queue.has_claimable_job, ["gpu"])
    force(database, job_id, not_before=now() + 60)
    assert not database.read(queue.has_claimable_job, ["default"])


def test_cancel_is_at_once_for_a_queued_job_and_a_wish_for_a_running_one(database: Database) -> None:
    queued, running = submit(database, priority=-1), submit(database)
    claim(database)
    assert database.run(service.cancel, "anna", queued).status == "cancelled"
    assert database.run(service.cancel, "anna", queued).status == "cancelled"
    assert database.run(service.cancel, "anna", running).wish == "cancel"
    seq = database.run(repository.find, "anna", running).last_seq
    assert database.run(service.cancel, "anna", running).last_seq == seq  # idempotent: no second event
    assert not database.run(service.record_loss, running, 1, LOST, 5)  # the wish comes true however the attempt ends
    assert database.run(repository.find, "anna", running).status == "cancelled"


def test_pausing_and_resuming(database: Database) -> None:
    job_id = submit(database)
    assert database.run(service.resume, "anna", job_id).status == "queued"
    assert database.run(service.pause, "anna", job_id).status == "paused"
    assert database.run(service.pause, "anna", job_id).status == "paused"
    assert claim(database) is None
    assert database.run(service.resume, "anna", job_id).status == "queued"
    assert claim(database) is not None
    assert database.run(service.pause, "anna", job_id).wish == "pause"
    database.run(service.complete_pause, job_id, 1)
    found = database.run(repository.find, "anna", job_id)
    assert (found.status, found.wish, found.worker) == ("paused", None, None)
    assert database.run(service.cancel, "anna", job_id).status == "cancelled"
    for verb in (service.pause, service.resume):
        with pytest.raises(InvalidState):
            database.run(verb, "anna", job_id)


def test_a_wish_to_pause_can_be_taken_back(database: Database) -> None:
    job_id = submit(database)
    claim(database)
    database.run(service.pause, "anna", job_id)
    assert database.run(service.resume, "anna", job_id).wish is None
    database.run(service.complete_pause, job_id, 1)  # the attempt had heard the wish already
    assert database.run(repository.find, "anna", job_id).status == "queued"


def test_a_job_that_is_being_cancelled_is_not_paused(database: Database) -> None:
    job_id = submit(database)
    claim(database)
    database.run(service.cancel, "anna", job_id)
    for verb in (service.pause, service.resume):
        with pytest.raises(InvalidState, match="being cancelled"):
            database.run(verb, "anna", job_id)


def test_a_failed_job_is_retried_under_a_new_fence(database: Database) -> None:
    job_id = submit(database)
    claim(database)
    with pytest.raises(InvalidState):
        database.run(service.retry, "anna", job_id)
    database.run(service.fail, job_id, 1, LOST)
    retried = database.run(service.retry, "anna", job_id)
    assert (retried.status, retried.error, retried.finished_at, retried.attempts) == ("queued", None, None, 0)
    again = claim(database)
    assert again is not None
    assert again.fence == 2


def test_an_ended_job_cannot_be_cancelled_and_a_running_one_not_deleted(database: Database) -> None:
    job_id = submit(database)
    claim(database)
    with pytest.raises(InvalidState):
        database.run(deletion.delete, "anna", job_id)
    database.run(service.succeed, job_id, 1, {"step": 1})
    with pytest.raises(InvalidState):
        database.run(service.cancel, "anna", job_id)
    database.run(deletion.delete, "anna", job_id)
    with pytest.raises(NotFound):
        database.run(repository.find, "anna", job_id)


def test_a_release_puts_the_job_back_in_the_queue(database: Database) -> None:
    job_id = submit(database)
    claim(database)
    database.run(service.release, job_id, 1)
    job = claim(database)
    assert job is not None
    assert job.fence == 2


def test_a_foreign_job_does_not_exist(database: Database) -> None:
    job_id = submit(database)
    with pytest.raises(NotFound):
        database.run(repository.find, "bert", job_id)


def test_pages_are_stable_while_jobs_arrive(database: Database) -> None:
    ids = [submit(database, name=f"n{i % 2}", labels={"team": "vision"} if i % 2 else {}) for i in range(5)]
    rows, more = database.run(listing.page, "anna", 2)
    assert ([row.id for row in rows], more) == ([ids[4], ids[3]], True)
    submit(database)
    rows, more = database.run(listing.page, "anna", 10, after=ids[3])
    assert ([row.id for row in rows], more) == ([ids[2], ids[1], ids[0]], False)
    rows, _ = database.run(listing.page, "anna", 10, labels={"team": "vision"})
    assert [row.id for row in rows] == [ids[3], ids[1]]
    rows, _ = database.run(listing.page, "anna", 10, name="n0", status=["queued"])
    assert [row.id for row in rows] == [ids[4], ids[2], ids[0]]


def test_events_are_numbered_without_gaps_by_many_writers(database: Database) -> None:
    job_id = submit(database)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: database.run(events.append, job_id, "phase", {"n": i}), range(20)))
    assert [row.seq for row in database.run(events.list_events, job_id, 0, 100)] == list(range(1, 22))


def test_only_a_retry_leads_out_of_an_end_and_never_out_of_success() -> None:
    leading = {
        verb: sources & TERMINAL_STATUSES for verb, (sources, _) in TRANSITIONS.items() if sources & TERMINAL_STATUSES
    }
    assert leading == {Verb.RETRY: {Status.FAILED, Status.CANCELLED}}
