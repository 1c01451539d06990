"""Waiting for changes of jobs: one query for all waiting requests, and one for all of their keys."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog
from anyio import CapacityLimiter, to_thread
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import keys
from app.access.keys import Credential
from app.db.session import Database
from app.db.tables import JobRow
from app.errors import NotFound, Unauthenticated, Unavailable

POLL_SECONDS = 0.1  # between two looks at jobs …
MAX_POLL_SECONDS = 1.0  # … and at most, if looks take long:
POLL_SHARE = 5.0  # the pause after a look is so many times as long as the look
KEY_CHECK_SECONDS = 1.0
DATABASE_RETRY_SECONDS = 1.0
IDS_PER_QUERY = 500

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobState:
    """What a waiting request has to know of its job."""

    owner: str
    version: int
    status: str
    last_seq: int  # number of the newest event


class JobWatch:
    """One request that waits for one job; a context manager, within which the job and the key are looked at."""

    def __init__(self, watcher: "JobWatcher", job_id: str, owner: str, credential: Credential | None) -> None:
        self.job_id, self.owner, self.credential = job_id, owner, credential
        self.refused = False  # the key is no longer valid
        self.seen: JobState | None = None  # at the last look of this watch: from there it goes on if entered again
        self._watcher = watcher
        self._news = asyncio.Event()

    @property
    def state(self) -> JobState | None:
        """The job as it was last seen; `None` if it is gone. Raises `Unauthenticated` once the key is not valid."""
        if self.refused:
            raise Unauthenticated
        state = self._watcher.last_state(self.job_id)
        return state if state is not None and state.owner == self.owner else None

    async def look(self) -> JobState:
        """Return the job as it is now. Raises `NotFound`, `Unauthenticated`, and `Unavailable` for the database."""
        await self._watcher.look(self.job_id)
        if (state := self.state) is None:
            raise NotFound(f"there is no job {self.job_id}")
        self.seen = state
        return state

    async def wait_for_change(self, version: int, seconds: float) -> bool:
        """Wait until the job has another version or is gone; false if that takes longer than `seconds`.

        Raises `Unauthenticated` as soon as the key is not valid.
        """
        try:
            async with asyncio.timeout(seconds):
                while (state := self.state) is not None and state.version == version:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def changes(self, seconds: float) -> AsyncIterator[JobState]:
        """Yield the job as it is now and after every change, for so long. Raises as `look` does."""
        until = time.monotonic() + seconds
        state: JobState | None = await self.look()
        while state is not None:
            yield state
            if not await self.wait_for_change(state.version, max(0.0, until - time.monotonic())):
                return
            state = self.state

    def wake(self) -> None:
        """Let the request look at `state` again."""
        self._news.set()

    def __enter__(self) -> Self:
        self._watcher.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watcher.remove(self)


class JobWatcher:
    """Looks at the jobs and keys of all waiting requests, and wakes those with news. For one event loop.

    A look costs what the watched jobs cost, however many requests wait for each. A request that is new has its own job
    looked at at once; all other jobs wait for their turn.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._watches: dict[str, set[JobWatch]] = {}
        self._states: dict[str, JobState | None] = {}
        self._requested: dict[str, asyncio.Future[None]] = {}  # looks at jobs that are waited for
        self._request_made = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._thread = CapacityLimiter(1)  # of its own: threads that are all in use keep no one waiting

    def watch(self, job_id: str, owner: str, credential: Credential | None) -> JobWatch:
        """Return a watch of a job for a request with a key; `None` without authentication."""
        return JobWatch(self, job_id, owner, credential)

    @property
    def watches(self) -> int:
        """How many requests wait."""
        return sum(map(len, self._watches.values()))

    def last_state(self, job_id: str) -> JobState | None:
        """Return a watched job as it was last seen."""
        return self._states.get(job_id)

    def add(self, watch: JobWatch) -> None:
        """Begin to look at the job and the key of a request."""
        self._watches.setdefault(watch.job_id, set()).add(watch)
        if watch.seen is not None:
            self._states.setdefault(watch.job_id, watch.seen)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def remove(self, watch: JobWatch) -> None:
        """Look no longer for this request."""
        waiting = self._watches[watch.job_id]
        waiting.discard(watch)
        if not waiting:
            del self._watches[watch.job_id]
            self._states.pop(watch.job_id, None)

    async def look(self, job_id: str) -> None:
        """Look at a watched job, from now on. Raises `Unavailable`."""
        if job_id not in self._requested:
            self._requested[job_id] = asyncio.get_running_loop().create_future()
            self._request_made.set()
        await asyncio.shield(self._requested[job_id])

    async def _run(self) -> None:
        next_round = next_keys = 0.0
        while self._watches:
            requested, self._requested = self._requested, {}
            self._request_made.clear()
            began = time.monotonic()
            everything = began >= next_round
            job_ids = list(self._watches) if everything else list(requested)
            credentials = self._credentials() if began >= next_keys else set()
            try:
                look = await to_thread.run_sync(self._db.read, _look, job_ids, credentials, limiter=self._thread)
            except Exception as error:  # whoever waits goes on waiting: there is no news
                if not isinstance(error, Unavailable):
                    _log.exception("look_failed")
                _settle(requested, error)
                next_round = time.monotonic() + DATABASE_RETRY_SECONDS
            else:
                self._publish(job_ids, look[0])
                self._refuse(look[1])
                _settle(requested, None)
                ended = time.monotonic()
                if credentials:
                    next_keys = began + KEY_CHECK_SECONDS
                if everything:
                    next_round = ended + min(MAX_POLL_SECONDS, max(POLL_SECONDS, POLL_SHARE * (ended - began)))
            await self._pause(next_round - time.monotonic())

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._request_made.wait()
        except TimeoutError:
            pass

    def _credentials(self) -> set[Credential]:
        return {watch.credential for watch in self._all_watches() if watch.credential is not None}

    def _all_watches(self) -> Iterator[JobWatch]:
        return (watch for waiting in self._watches.values() for watch in waiting)

    def _publish(self, job_ids: Sequence[str], found: Mapping[str, JobState]) -> None:
        for job_id in job_ids:
            if job_id in self._watches and (job_id not in self._states or self._states[job_id] != found.get(job_id)):
                self._states[job_id] = found.get(job_id)
                for watch in self._watches[job_id]:
                    watch.wake()

    def _refuse(self, invalid: set[Credential]) -> None:
        if invalid:
            for watch in self._all_watches():
                if watch.credential in invalid:
                    watch.refused = True
                    watch.wake()


def _settle(requested: Mapping[str, asyncio.Future[None]], error: Exception | None) -> None:
    for future in requested.values():
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
            future.exception()  # whoever asked may be gone


def _look(
    session: Session, job_ids: Sequence[str], credentials: set[Credential]
) -> tuple[dict[str, JobState], set[Credential]]:
    """Return the states of the jobs that there are, and the credentials that are no longer valid."""
    columns = (JobRow.id, JobRow.owner, JobRow.version, JobRow.status, JobRow.last_seq)
    states: dict[str, JobState] = {}
    for start in range(0, len(job_ids), IDS_PER_QUERY):
        ids = job_ids[start : start + IDS_PER_QUERY]
        query = select(*columns).where(JobRow.id.in_(ids), JobRow.deleted_at.is_(None))
        states |= {row.id: JobState(row.owner, row.version, row.status, row.last_seq) for row in session.execute(query)}
    return states, keys.invalid_credentials(session, credentials)
