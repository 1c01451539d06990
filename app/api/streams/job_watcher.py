"""Waiting for changes of jobs: one query for all waiting requests, and one for all of their keys."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import structlog
from anyio import CapacityLimiter, to_thread
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.credentials import invalid_credentials
from app.access.tokens import Credential
from app.api.streams.call_queue import CallQueue, settle
from app.db.session import Database
from app.db.tables import JobRow
from app.errors import NotFound, Unauthenticated, Unavailable

POLL_SECONDS = 0.1  # between two looks at jobs …
MAX_POLL_SECONDS = 1.0  # … and at most, if looks take long:
POLL_SHARE = 5.0  # the pause after a look is so many times as long as the look …
WAKE_SHARE = (
    2.0  # … or, if that is longer, as the time until all were woken, so that other requests have the event loop
)
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
        self._news: asyncio.Future[None] | None = None  # what the request waits for, if it does
        self._is_late = False

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
        loop = asyncio.get_running_loop()
        self._is_late = False
        timer = loop.call_later(seconds, self._expire)
        try:
            while (state := self.state) is not None and state.version == version:
                if self._is_late:
                    return False
                self._news = loop.create_future()
                await self._news
        finally:
            timer.cancel()
            self._news = None
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
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _expire(self) -> None:
        self._is_late = True
        self.wake()

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
    looked at at once; all other jobs wait for their turn. Whoever is woken waits for a turn of the event loop: the more
    requests wait for the jobs, and the busier the event loop is, the more changes one look finds.
    """

    def __init__(self, db: Database, call_queue: CallQueue | None = None) -> None:
        self._db = db
        self._call_queue = call_queue or CallQueue()
        self._watches: dict[str, set[JobWatch]] = {}
        self._states: dict[str, JobState | None] = {}
        self._requested: dict[str, list[asyncio.Future[None]]] = {}  # who waits for looks at jobs
        self._next_round = 0.0  # when every job is looked at; infinite until all were woken
        self._next_keys = 0.0
        self._plan_changed = asyncio.Event()
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
        done = asyncio.get_running_loop().create_future()
        self._requested.setdefault(job_id, []).append(done)
        self._plan_changed.set()
        await done

    async def _run(self) -> None:
        self._next_round = self._next_keys = 0.0
        while self._watches:
            self._plan_changed.clear()
            await self._look_at_what_is_due()
            try:
                async with asyncio.timeout(max(0.0, min(self._next_round, self._next_keys) - time.monotonic())):
                    await self._plan_changed.wait()
            except TimeoutError:
                pass

    async def _look_at_what_is_due(self) -> None:
        requested, self._requested = self._requested, {}
        began = time.monotonic()
        is_round = began >= self._next_round
        job_ids = list(self._watches) if is_round else list(requested)
        credentials: set[Credential] = set()
        if began >= self._next_keys:
            credentials = self._credentials()
            self._next_keys = began + KEY_CHECK_SECONDS
        if not job_ids and not credentials:
            return
        try:
            look = await to_thread.run_sync(self._db.read, _look, job_ids, credentials, limiter=self._thread)
        except Exception as error:  # whoever waits goes on waiting: there is no news
            if not isinstance(error, Unavailable):
                _log.exception("look_failed")
            self._answer(requested, error)
            self._next_round = self._next_keys = time.monotonic() + DATABASE_RETRY_SECONDS
            return
        self._publish(job_ids, look[0])
        self._refuse(look[1])
        self._answer(requested, None)
        if is_round:
            self._next_round = math.inf
            self._call_queue.add(partial(self._plan_round, began, time.monotonic()))

    def _plan_round(self, began: float, ended: float) -> None:
        """Plan the next look at every job, after one whose news have reached everyone."""
        now = time.monotonic()
        pause = max(POLL_SECONDS, POLL_SHARE * (ended - began), WAKE_SHARE * (now - ended))
        self._next_round = now + min(MAX_POLL_SECONDS, pause)
        self._plan_changed.set()

    def _credentials(self) -> set[Credential]:
        return {watch.credential for watch in self._all_watches() if watch.credential is not None}

    def _all_watches(self) -> Iterator[JobWatch]:
        return (watch for waiting in self._watches.values() for watch in waiting)

    def _publish(self, job_ids: Sequence[str], found: Mapping[str, JobState]) -> None:
        for job_id in job_ids:
            if job_id in self._watches and (job_id not in self._states or self._states[job_id] != found.get(job_id)):
                self._states[job_id] = found.get(job_id)
                for watch in self._watches[job_id]:
                    self._call_queue.add(watch.wake)

    def _answer(self, requested: Mapping[str, Sequence[asyncio.Future[None]]], error: Exception | None) -> None:
        for waiting in requested.values():
            for done in waiting:
                self._call_queue.add(partial(settle, done, error))

    def _refuse(self, invalid: set[Credential]) -> None:
        if invalid:
            for watch in self._all_watches():
                if watch.credential in invalid:
                    watch.refused = True
                    watch.wake()


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
    return states, invalid_credentials(session, credentials)
