"""Reads of the database that many requests want at once: one thread reads, all of them get the result."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from anyio import CapacityLimiter, to_thread

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
    """

    def __init__(self, threads: int, max_bytes: int = 0, size: Callable[[ResultT], int] = lambda result: 0) -> None:
        self.stored_bytes = 0
        self._limiter = CapacityLimiter(threads)
        self._max_bytes, self._size = max_bytes, size
        self._reads: dict[KeyT, asyncio.Task[ResultT]] = {}
        self._results: OrderedDict[KeyT, ResultT] = OrderedDict()

    async def get(self, key: KeyT, read: Callable[[], ResultT]) -> ResultT:
        """Return the result of a read, which runs in a thread, under a key. Raises what the read raises."""
        if key in self._results:
            self._results.move_to_end(key)
            return self._results[key]
        task = self._reads.get(key)
        if task is None:
            task = self._reads[key] = asyncio.create_task(self._read(key, read))
            task.add_done_callback(_retrieve)
        return await asyncio.shield(task)  # whoever asked first may hang up before the others have their result

    def clear(self) -> None:
        """Forget all results."""
        self._results.clear()
        self.stored_bytes = 0

    async def _read(self, key: KeyT, read: Callable[[], ResultT]) -> ResultT:
        try:
            result = await to_thread.run_sync(read, limiter=self._limiter)
        finally:
            del self._reads[key]
        if self._max_bytes:
            self._results[key] = result
            self.stored_bytes += self._size(result)
            while self.stored_bytes > self._max_bytes:
                self.stored_bytes -= self._size(self._results.popitem(last=False)[1])
        return result


def _retrieve(task: "asyncio.Task[ResultT]") -> None:
    """Look at a failure that nobody may be left to see."""
    if not task.cancelled():
        task.exception()
