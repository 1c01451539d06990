"""Work of many streams in portions: a few calls in one turn of the event loop, so that other requests come between."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

ResultT = TypeVar("ResultT")

CALLS_PER_TURN = 4


class CallQueue:
    """Calls that wait for a turn of the event loop, in the order in which they came. For one event loop.

    What a call lets go on runs in the turn after it, so a turn takes as long as that of `calls_per_turn` requests.
    """

    def __init__(self, calls_per_turn: int = CALLS_PER_TURN) -> None:
        self._calls_per_turn = calls_per_turn
        self._calls: deque[Callable[[], object]] = deque()
        self._is_scheduled = False

    def add(self, call: Callable[[], object]) -> None:
        """Run a call in one of the next turns; it must not raise."""
        self._calls.append(call)
        if not self._is_scheduled:
            self._schedule()

    async def wait(self) -> None:
        """Wait for a turn."""
        turn = asyncio.get_running_loop().create_future()
        self.add(partial(settle, turn, None))
        await turn

    def _schedule(self) -> None:
        self._is_scheduled = True
        asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        calls = [self._calls.popleft() for _ in range(min(len(self._calls), self._calls_per_turn))]
        self._is_scheduled = False
        if self._calls:
            self._schedule()
        for call in calls:
            call()


def settle(future: asyncio.Future[ResultT], result: ResultT | BaseException) -> None:
    """Give a future its result, or let it raise, unless whoever waited for it is gone."""
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
