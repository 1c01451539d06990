"""Waiting for jobs to change."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.api.job_watcher import JobWatcher
from app.db.session import Database
from app.errors import DatabaseUnavailable
from app.jobs import repository
from tests.app.api.job_factories import create_queued_job


def touch(database: Database, job_id: str) -> None:
    database.run(repository.update_visible, job_id, phase="x")


def watching(database: Database, scene: Callable[[JobWatcher], Awaitable[Any]]) -> Any:
    async def play() -> Any:
        return await scene(JobWatcher(database))

    return asyncio.run(play())


def test_a_change_wakes_everybody_who_waits_for_it(database: Database) -> None:
    job_id, other = create_queued_job(database), create_queued_job(database)
    version = database.run(repository.find, "anna", job_id).version

    async def scene(watcher: JobWatcher) -> list[bool]:
        waits = [watcher.wait_for_change(job_id, version, 5.0) for _ in range(20)]
        waits += [watcher.wait_for_change(other, version, 0.6)]
        pending = asyncio.gather(*waits)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(touch, database, job_id)
        return await pending

    began = time.monotonic()
    assert watching(database, scene) == [True] * 20 + [False]
    assert time.monotonic() - began < 4


def test_what_has_changed_already_wakes_at_once(database: Database) -> None:
    job_id = create_queued_job(database)
    assert watching(database, lambda watcher: watcher.wait_for_change(job_id, -1, 5.0))
    assert watching(database, lambda watcher: watcher.wait_for_change("job_none", 1, 5.0))


def test_nobody_waiting_means_no_queries(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = create_queued_job(database)
    version = database.run(repository.find, "anna", job_id).version
    reads = []
    read = database.read
    monkeypatch.setattr(database, "read", lambda *args: reads.append(args) or read(*args))  # type: ignore[func-returns-value]

    async def scene(watcher: JobWatcher) -> None:
        waits = [watcher.wait_for_change(job_id, version, 0.35) for _ in range(30)]
        assert await asyncio.gather(*waits) == [False] * 30
        assert len(reads) <= 5  # one for all
        await asyncio.sleep(0.25)
        count = len(reads)
        await asyncio.sleep(0.3)
        assert len(reads) == count
        assert not await watcher.wait_for_change(job_id, version, 0.2)  # and it begins anew
        assert len(reads) > count

    watching(database, scene)


def test_a_database_that_is_away_is_no_news(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = create_queued_job(database)
    read, broken = database.read, [True]

    def sometimes(*args: Any) -> Any:
        if broken and broken.pop():
            raise DatabaseUnavailable
        return read(*args)

    monkeypatch.setattr(database, "read", sometimes)
    assert watching(database, lambda watcher: watcher.wait_for_change(job_id, -1, 5.0))


def test_a_wait_that_is_given_up_leaves_nothing(database: Database) -> None:
    job_id = create_queued_job(database)

    async def scene(watcher: JobWatcher) -> None:
        task = asyncio.create_task(watcher.wait_for_change(job_id, 10**6, 5.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not watcher._waiters

    watching(database, scene)
