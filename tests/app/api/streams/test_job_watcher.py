"""Waiting for jobs to change."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.access import keys
from app.access.tokens import parse_credential
from app.api.streams import job_watcher
from app.api.streams.call_queue import CallQueue
from app.api.streams.job_watcher import JobWatch, JobWatcher
from app.db.session import Database
from app.errors import DatabaseUnavailable, NotFound, Unauthenticated
from app.jobs import deletion, repository
from app.jobs.states import Status
from tests.app.api.job_factories import create_job_in_status, create_queued_job


def touch(database: Database, job_id: str) -> None:
    database.run(repository.update_visible, job_id, phase="x")


def watching(database: Database, scene: Callable[[JobWatcher], Awaitable[Any]]) -> Any:
    async def play() -> Any:
        watcher = JobWatcher(database)
        result = await scene(watcher)
        assert not watcher.watches
        return result

    return asyncio.run(play())


async def changes(watcher: JobWatcher, job_id: str, seconds: float) -> bool:
    """Look at a job, and return whether it changes within some seconds."""
    with watcher.watch(job_id, "anna", None) as watch:
        return await watch.wait_for_change((await watch.look()).version, seconds)


def test_a_change_wakes_everybody_who_waits_for_it(database: Database) -> None:
    job_id, other = create_queued_job(database), create_queued_job(database)

    async def scene(watcher: JobWatcher) -> list[bool]:
        pending = asyncio.gather(*(changes(watcher, job_id, 5.0) for _ in range(20)), changes(watcher, other, 0.6))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(touch, database, job_id)
        return await pending

    began = time.monotonic()
    assert watching(database, scene) == [True] * 20 + [False]
    assert time.monotonic() - began < 4


def test_what_has_changed_already_wakes_at_once(database: Database) -> None:
    job_id = create_queued_job(database)

    async def scene(watcher: JobWatcher) -> None:
        with watcher.watch(job_id, "anna", None) as watch:
            await watch.look()
            assert await watch.wait_for_change(-1, 5.0)

    watching(database, scene)


@pytest.mark.parametrize("whose", ["bert", "nobody", "deleted"])
def test_only_ones_own_jobs_are_seen(database: Database, whose: str) -> None:
    job_id = create_job_in_status(database, Status.FAILED, "bert" if whose == "bert" else "anna")
    if whose == "deleted":
        database.run(deletion.delete, "anna", job_id)

    async def scene(watcher: JobWatcher) -> None:
        with watcher.watch("job_none" if whose == "nobody" else job_id, "anna", None) as watch:
            with pytest.raises(NotFound):
                await watch.look()
            assert watch.state is None

    watching(database, scene)


def test_a_job_that_is_deleted_is_a_change(database: Database) -> None:
    job_id = create_queued_job(database)

    async def scene(watcher: JobWatcher) -> None:
        with watcher.watch(job_id, "anna", None) as watch:
            version = (await watch.look()).version
            await asyncio.to_thread(database.run, repository.delete_job, job_id)
            assert await watch.wait_for_change(version, 5.0)
            assert watch.state is None

    watching(database, scene)


def count_reads(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    reads: list[Any] = []
    read = database.read
    monkeypatch.setattr(database, "read", lambda *args: reads.append(args) or read(*args))  # type: ignore[func-returns-value]
    return reads


def test_looks_do_not_depend_on_how_many_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither their number, nor what is looked up in one; and there are none while nobody waits."""
    job_id = create_queued_job(database)
    _, token = database.run(keys.create, "anna", "x", ["read"])
    reads = count_reads(database, monkeypatch)

    async def wait(watcher: JobWatcher) -> None:
        with watcher.watch(job_id, "anna", parse_credential(token)) as watch:
            assert not await watch.wait_for_change((await watch.look()).version, 0.35)

    async def scene(watcher: JobWatcher) -> None:
        await asyncio.gather(*(wait(watcher) for _ in range(300)))
        assert len(reads) <= 6
        assert all(len(job_ids) <= 1 and len(credentials) <= 1 for _, job_ids, credentials in reads)
        await asyncio.sleep(0.25)
        count = len(reads)
        await asyncio.sleep(0.3)
        assert len(reads) == count
        await wait(watcher)  # and it begins anew
        assert len(reads) > count

    watching(database, scene)


def test_a_new_request_has_no_other_jobs_looked_at(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_watcher, "POLL_SECONDS", 60.0)
    monkeypatch.setattr(job_watcher, "MAX_POLL_SECONDS", 60.0)
    job_ids = [create_queued_job(database) for _ in range(3)]
    reads = count_reads(database, monkeypatch)

    async def scene(watcher: JobWatcher) -> None:
        with watcher.watch(job_ids[0], "anna", None) as first:
            await first.look()
            for job_id in job_ids[1:]:
                with watcher.watch(job_id, "anna", None) as watch:
                    await watch.look()
        assert [list(args[1]) for args in reads] == [[job_id] for job_id in job_ids]

    watching(database, scene)


@pytest.mark.parametrize(
    ("look_seconds", "wake_seconds", "pause"), [(0.0, 0.0, 0.1), (0.05, 0.0, 0.25), (0.0, 0.2, 0.4), (9.0, 9.0, 1.0)]
)
def test_a_pause_is_as_long_as_looking_and_waking_took(
    database: Database, look_seconds: float, wake_seconds: float, pause: float
) -> None:
    async def scene() -> None:
        watcher, now = JobWatcher(database), time.monotonic()
        watcher._plan_round(now - wake_seconds - look_seconds, now - wake_seconds)
        assert watcher._next_round - now == pytest.approx(pause, abs=0.05)

    asyncio.run(scene())


def test_no_round_begins_before_everyone_was_woken(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """So changes that come faster than they are passed on do not pile up."""
    monkeypatch.setattr(job_watcher, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(job_watcher, "POLL_SHARE", 0.0)
    job_id = create_queued_job(database)
    reads = count_reads(database, monkeypatch)

    async def scene(watcher: JobWatcher, call_queue: CallQueue) -> None:
        with watcher.watch(job_id, "anna", None) as watch:
            await watch.look()
            await asyncio.sleep(0.3)  # some rounds
            assert len(reads) > 2
            monkeypatch.setattr(call_queue, "_run", lambda: None)  # the event loop has no time
            await asyncio.sleep(0.1)
            count = len(reads)
            await asyncio.sleep(0.3)
            assert len(reads) == count

    call_queue = CallQueue(1)
    asyncio.run(scene(JobWatcher(database, call_queue), call_queue))


def test_jobs_beyond_one_query_are_looked_at_too(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_watcher, "IDS_PER_QUERY", 3)
    job_ids = [create_queued_job(database) for _ in range(7)]
    states, _ = database.read(job_watcher._look, job_ids, set())
    assert set(states) == set(job_ids)


def test_a_database_that_is_away_is_no_news(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_watcher, "DATABASE_RETRY_SECONDS", 0.1)
    job_id = create_queued_job(database)
    read, broken = database.read, [True] * 3

    def sometimes(*args: Any) -> Any:
        if broken and broken.pop():
            raise DatabaseUnavailable
        return read(*args)

    async def scene(watcher: JobWatcher) -> None:
        with watcher.watch(job_id, "anna", None) as watch:
            version = (await watch.look()).version
            monkeypatch.setattr(database, "read", sometimes)
            with pytest.raises(DatabaseUnavailable):
                await watch.look()
            await asyncio.to_thread(touch, database, job_id)
            assert await watch.wait_for_change(version, 5.0)

    watching(database, scene)


def test_a_wait_that_is_given_up_leaves_nothing(database: Database) -> None:
    job_id = create_queued_job(database)

    async def scene(watcher: JobWatcher) -> None:
        task = asyncio.create_task(changes(watcher, job_id, 5.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not watcher._watches
        assert not watcher._states

    watching(database, scene)


Ending = Callable[[Database, str], Any]
ENDINGS: dict[str, Ending] = {
    "revoked": lambda database, key_id: database.run(keys.revoke, "anna", key_id),
    "rotated": lambda database, key_id: database.run(keys.rotate, "anna", key_id, 0.3),
    "expired": lambda database, key_id: database.run(
        lambda session: setattr(keys.find_for_update(session, "anna", key_id), "expires_at", time.time() + 0.3)
    ),
    "removed": lambda database, key_id: database.run(
        lambda session: session.delete(keys.find_for_update(session, "anna", key_id))
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_key_that_is_no_longer_valid_ends_its_waits_within_two_seconds(database: Database, ending: str) -> None:
    """And those of no other key."""
    job_id = create_queued_job(database)
    row, token = database.run(keys.create, "anna", "x", ["read"])
    _, other_token = database.run(keys.create, "anna", "y", ["read"])

    async def wait(watch: JobWatch) -> str:
        with watch:
            try:
                await watch.wait_for_change((await watch.look()).version, 3.0)
            except Unauthenticated:
                return "refused"
        return "waited"

    async def scene(watcher: JobWatcher) -> None:
        mine = [asyncio.create_task(wait(watcher.watch(job_id, "anna", parse_credential(token)))) for _ in range(5)]
        others = [
            asyncio.create_task(wait(watcher.watch(job_id, "anna", credential)))
            for credential in (parse_credential(other_token), None)
        ]
        await asyncio.sleep(0.2)
        assert not any(task.done() for task in mine)
        await asyncio.to_thread(ENDINGS[ending], database, row.id)
        began = time.monotonic()
        assert await asyncio.gather(*mine) == ["refused"] * 5
        assert time.monotonic() - began < 2.0
        assert await asyncio.gather(*others) == ["waited"] * 2

    watching(database, scene)
