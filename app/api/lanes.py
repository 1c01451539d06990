"""Lanes: how many requests of one cost run at once, and how many of those may be of one key.

A request is in one lane from its authentication until its response is sent, a stream until it ends. A full lane keeps
a request waiting for a bounded time and then refuses it. Lanes share neither places nor threads, so that no request
waits for a slower kind.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

import anyio
from anyio.to_thread import current_default_thread_limiter, run_sync
from fastapi import Depends, Request, params
from starlette.types import Scope

from app.errors import ServiceOverloaded
from app.settings import Settings

R = TypeVar("R")

MAX_WAITING = 512  # requests that wait for a place in one lane; beyond them one is refused at once
OVERLOADED_HINT = "try again in some seconds, with fewer requests at once"


class Lane(StrEnum):
    """Requests that cost alike."""

    READ = "read"
    WRITE = "write"
    HEALTH = "health"  # readiness and metrics
    WAIT = "wait"  # long polls
    STREAM = "stream"
    DOWNLOAD = "download"
    UPLOAD = "upload"
    INSPECTION = "inspection"  # whatever inspects a network: submissions too
    EXPORT = "export"
    PREDICTION = "prediction"  # evaluations too


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """The limits of a lane.

    concurrent: requests at once; per_key: those of them with one key, or from one address without a key;
    wait_seconds: how long a request waits for a place; threads: how many the lane uses at once (`None`: one for each
    request), where its requests wait for most of their time.
    """

    concurrent: int
    per_key: int
    wait_seconds: float
    threads: int | None = None

    def with_concurrent(self, concurrent: int) -> "LaneLimits":
        """Return the limits with another number of requests at once, of which one key has the same share."""
        return replace(self, concurrent=concurrent, per_key=max(1, round(concurrent * self.per_key / self.concurrent)))


LANES: Mapping[Lane, LaneLimits] = {
    Lane.READ: LaneLimits(16, 12, 10.0),
    Lane.WRITE: LaneLimits(12, 9, 10.0),
    Lane.HEALTH: LaneLimits(4, 4, 5.0),
    Lane.WAIT: LaneLimits(500, 400, 2.0, threads=4),
    Lane.STREAM: LaneLimits(500, 400, 2.0, threads=4),
    Lane.DOWNLOAD: LaneLimits(32, 24, 5.0),
    Lane.UPLOAD: LaneLimits(16, 12, 2.0),
    Lane.INSPECTION: LaneLimits(16, 12, 10.0),
    Lane.EXPORT: LaneLimits(8, 6, 5.0),
    Lane.PREDICTION: LaneLimits(18, 14, 2.0),
}
LANE_DESCRIPTIONS: Mapping[Lane, str] = {
    Lane.READ: "reading rows: jobs, lists, checkpoints, data sets, reports, keys",
    Lane.WRITE: "changing rows: verbs, data sets, keys, webhooks",
    Lane.HEALTH: "`/readyz` and `/metrics`, by address",
    Lane.WAIT: "`GET /v1/jobs/{id}?wait=`",
    Lane.STREAM: "event streams; as many at once as `GRAFTWERK_MAX_STREAMS`",
    Lane.DOWNLOAD: "files and curves",
    Lane.UPLOAD: "content of data sets; as many at once as `GRAFTWERK_MAX_UPLOADS`",
    Lane.INSPECTION: "submissions, forks, `validate` and `/v1/models/inspect`",
    Lane.EXPORT: "exports of checkpoints",
    Lane.PREDICTION: "predictions and evaluations; nine at once for each of `GRAFTWERK_PREDICTORS`",
}
PREDICTIONS_PER_PROCESS = 9  # one that is computed, and those that wait with their bodies
SAFE_METHODS = frozenset({"GET", "HEAD"})


def lane_limits(settings: Settings) -> Mapping[Lane, LaneLimits]:
    """Return the limits of every lane with these settings."""
    concurrent = {
        Lane.STREAM: settings.max_streams,
        Lane.UPLOAD: settings.max_uploads,
        Lane.PREDICTION: settings.predictors * PREDICTIONS_PER_PROCESS,
    }
    return {
        lane: limits.with_concurrent(concurrent[lane]) if lane in concurrent else limits
        for lane, limits in LANES.items()
    }


def in_lane(lane: Lane) -> params.Depends:
    """Return the dependency by which a route declares its lane; without one see `requested_lane`.

    The place itself is taken with the authentication, see `app.api.auth`.
    """

    async def declare(request: Request) -> None:
        request.scope["lane"] = lane

    declare.lane = lane  # type: ignore[attr-defined] # a test walks over all routes by it
    dependency: params.Depends = Depends(declare)
    return dependency


def requested_lane(request: Request) -> Lane:
    """Return the lane that the route of a request declares, or that of its method and of the parameter ``wait``."""
    declared: Lane | None = request.scope.get("lane")
    if declared is not None:
        return declared
    if request.method not in SAFE_METHODS:
        return Lane.WRITE
    polls = request.scope["query_string"] and request.query_params.get("wait", "0").strip("0.") != ""
    return Lane.WAIT if polls else Lane.READ


class LaneQueue:
    """The places of one lane, and who waits for them. For one event loop.

    A free place goes to the key that has the fewest in the lane; among those to who has waited the longest.
    """

    def __init__(self, lane: Lane, limits: LaneLimits) -> None:
        self._lane, self.limits = lane, limits
        self._held: Counter[str] = Counter()  # key → its places
        self._in_use = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # key → its requests, the oldest first
        self._waiting_count = 0
        self.refused = 0  # requests so far

    @property
    def in_use(self) -> int:
        """The number of places that are taken."""
        return self._in_use

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a place."""
        return self._waiting_count

    @property
    def counts(self) -> Mapping[str, int]:
        """The numbers of requests by their state."""
        return {"in progress": self._in_use, "waiting": self._waiting_count}

    async def acquire(self, key: str) -> None:
        """Take a place for a key. Raises `ServiceOverloaded` if there is none in time."""
        if self._may_enter(key):  # whoever waits may not: otherwise it would have entered when the place became free
            self._take(key)
            return
        if self._waiting_count >= MAX_WAITING or len(self._waiting.get(key, ())) >= MAX_WAITING * self._key_share:
            raise self._overload(key)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        self._waiting_count += 1
        try:
            async with asyncio.timeout(self.limits.wait_seconds):
                await turn
        except BaseException as error:
            self._abandon(key, turn)
            if isinstance(error, TimeoutError):
                raise self._overload(key) from None
            raise

    def release(self, key: str) -> None:
        """Give a place of the key back, and let in who may enter now."""
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
        self._in_use -= 1
        while (following := self._next_key()) is not None:
            turn = self._waiting[following].popleft()
            self._leave_queue(following)
            if not turn.done():  # else its request was ended, and is about to notice
                self._take(following)
                turn.set_result(None)

    @property
    def _key_share(self) -> float:
        return self.limits.per_key / self.limits.concurrent

    def _may_enter(self, key: str) -> bool:
        return self._in_use < self.limits.concurrent and self._held[key] < self.limits.per_key

    def _take(self, key: str) -> None:
        self._held[key] += 1
        self._in_use += 1

    def _next_key(self) -> str | None:
        """Return the waiting key whose turn it is; `None` if no place is free or none may enter."""
        if not self._waiting or self._in_use >= self.limits.concurrent:
            return None
        key = min(self._waiting, key=self._held.__getitem__)
        return key if self._may_enter(key) else None

    def _abandon(self, key: str, turn: asyncio.Future[None]) -> None:
        """Stop waiting; a place that was given in the same moment goes to the next."""
        if turn.done() and not turn.cancelled():
            self.release(key)
            return
        queue = self._waiting.get(key)
        if queue is not None and turn in queue:
            queue.remove(turn)
            self._leave_queue(key)

    def _leave_queue(self, key: str) -> None:
        self._waiting_count -= 1
        if not self._waiting[key]:
            del self._waiting[key]

    def _overload(self, key: str) -> ServiceOverloaded:
        self.refused += 1
        limits = self.limits
        if self._held[key] >= limits.per_key:
            detail = f"{limits.per_key} requests of this key are in progress in the lane {self._lane}"
        else:
            detail = f"{limits.concurrent} requests are in progress in the lane {self._lane}"
        return ServiceOverloaded(detail, hint=OVERLOADED_HINT)


class Lanes:
    """All lanes of an API process. For one event loop."""

    def __init__(self, limits: Mapping[Lane, LaneLimits] = LANES) -> None:
        self.queues = {lane: LaneQueue(lane, each) for lane, each in limits.items()}
        self._limiters = {
            lane: anyio.CapacityLimiter(each.threads) for lane, each in limits.items() if each.threads is not None
        }

    @asynccontextmanager
    async def enter(self, lane: Lane, key: str) -> AsyncIterator[None]:
        """Hold a place in a lane. Raises `ServiceOverloaded` if there is none in time."""
        queue = self.queues[lane]
        await queue.acquire(key)
        try:
            yield
        finally:
            queue.release(key)

    async def take(self, request: Request, key: str) -> None:
        """Take a place in a request's lane, which it has until `close_request`. Raises `ServiceOverloaded`."""
        queue = self.queues[requested_lane(request)]
        await queue.acquire(key)
        request.scope["lane_place"] = queue, key

    async def run_sync(self, lane: Lane, call: Callable[..., R], *args: Any) -> R:
        """Return what a function returns that runs in one of the lane's threads."""
        return await run_sync(call, *args, limiter=self._limiters.get(lane))

    def reserve_threads(self) -> None:
        """Let the event loop have as many threads as all requests of all lanes need that use one each."""
        own = sum(queue.limits.concurrent for queue in self.queues.values() if queue.limits.threads is None)
        limiter = current_default_thread_limiter()
        limiter.total_tokens = max(limiter.total_tokens, own)


async def keep_open(scope: Scope, context: AbstractAsyncContextManager[object]) -> None:
    """Enter a context, such as that of a received body, for as long as the request takes."""
    stack: AsyncExitStack = scope.setdefault("contexts", AsyncExitStack())
    await stack.enter_async_context(context)


async def close_request(scope: Scope) -> None:
    """Give back the place of a request whose response is sent, if it has one, and close what it kept open."""
    place: tuple[LaneQueue, str] | None = scope.pop("lane_place", None)
    if place is not None:
        queue, key = place
        queue.release(key)
    contexts: AsyncExitStack | None = scope.pop("contexts", None)
    if contexts is not None:
        await contexts.aclose()
