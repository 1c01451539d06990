"""Waiting for changes of jobs: one query for all waiting requests."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from app.db.session import Database
from app.db.tables import JobRow
from app.errors import Unavailable

POLL_SECONDS = 0.1  # seconds between two looks

Waiter = tuple[int, asyncio.Event]


class JobWatcher:
    """Wakes requests when their job has a new version. For one event loop."""

    def __init__(self, db: Database) -> None:
        self.open_streams = 0  # open event streams
        self._db = db
        self._waiters: dict[str, list[Waiter]] = {}
        self._task: asyncio.Task[None] | None = None

    async def wait_for_change(self, job_id: str, version: int, seconds: float) -> bool:
        """Wait until the job's version differs or the job is gone; false when that takes longer than `seconds`."""
        waiter = (version, asyncio.Event())
        self._waiters.setdefault(job_id, []).append(waiter)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(seconds):
                await waiter[1].wait()
        except TimeoutError:
            return False
        finally:
            self._waiters[job_id].remove(waiter)
            if not self._waiters[job_id]:
                del self._waiters[job_id]
        return True

    async def _poll(self) -> None:
        while self._waiters:
            try:
                versions = await run_in_threadpool(self._db.read, _versions, list(self._waiters))
            except Unavailable:  # whoever waits goes on waiting: there is no news
                await asyncio.sleep(10 * POLL_SECONDS)
                continue
            for job_id, waiters in self._waiters.items():
                for version, event in waiters:
                    if versions.get(job_id) != version:
                        event.set()
            await asyncio.sleep(POLL_SECONDS)


def _versions(session: Session, job_ids: Sequence[str]) -> dict[str, int]:
    rows = session.execute(select(JobRow.id, JobRow.version).where(JobRow.id.in_(job_ids)))
    return {row.id: row.version for row in rows}
