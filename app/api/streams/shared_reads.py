"""Reads of the database that many requests want at once: one thread reads, all of them get the result."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

from anyio import CapacityLimiter, to_thread

from app.api.streams.call_queue import CallQueue, settle

KeyT = TypeVar("KeyT", bound=Hashable)
ResultT = TypeVar("ResultT")


class SharedReads(Generic[KeyT, ResultT]):
    """Shares reads by key, and keeps the last results up to a number of bytes. For one event loop.

    Whoever asks for a key that is being read gets that result. So a key says all that the result depends on, up to
    changes that make an older result no worse.

    Parameters
    ----------
    threads
        How many reads run at once. Others wait, and no request that reads something else waits for them.
    max_bytes
        The size of all results that are kept; 0 keeps none.
    size
        The bytes of a result.
    call_queue
        Where those who wait for one result take turns to go on; without it all go on at once.
    """

    def __init__(
        self,
        threads: int,
        max_bytes: int = 0,
        size: Callable[[ResultT], int] = lambda result: 0,
        call_queue: CallQueue | None = None,
    ) -> None:
        self.stored_bytes = 0
        self._limiter = CapacityLimiter(threads)
        self._max_bytes, self._size, self._call_queue = max_bytes, size, call_queue
        self._waiting: dict[KeyT, list[asyncio.Future[ResultT]]] = {}  # for what is being read
        self._tasks: set[asyncio.Task[None]] = set()
        self._results: OrderedDict[KeyT, ResultT] = OrderedDict()

    async def get(self, key: KeyT, read: Callable[[], ResultT]) -> ResultT:
        """Return the result of a read, which runs in a thread, under a key. Raises what the read raises."""
        if key in self._results:
            self._results.move_to_end(key)
            return self._results[key]
        result: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        if key not in self._waiting:  # a task reads: whoever asked first may hang up before the others have the result
            task = asyncio.create_task(self._read(key, read))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._waiting.setdefault(key, []).append(result)
        return await result

    def clear(self) -> None:
        """Forget all results."""
        self._results.clear()
        self.stored_bytes = 0

    async def _read(self, key: KeyT, read: Callable[[], ResultT]) -> None:
        result: ResultT | BaseException
        try:
            result = await to_thread.run_sync(read, limiter=self._limiter)
            self._keep(key, result)
        except Exception as error:
            result = error
        for future in self._waiting.pop(key):
            if self._call_queue is None:
                settle(future, result)
            else:
                self._call_queue.add(partial(settle, future, result))

    def _keep(self, key: KeyT, result: ResultT) -> None:
        if self._max_bytes:
            self._results[key] = result
            self.stored_bytes += self._size(result)
            while self.stored_bytes > self._max_bytes:
                self.stored_bytes -= self._size(self._results.popitem(last=False)[1])
