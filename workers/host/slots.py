"""The slots of a worker: how many attempts it runs at a time, and on which GPUs."""

import threading
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """What one attempt needs: slots of a worker, one for each GPU, and workers."""

    gpus: int = 1
    nodes: int = 1


ONE_SLOT = SlotRequest()


class SlotPool:
    """Slots to acquire and release; safe for threads. GPUs are given to the slots in turn."""

    def __init__(self, slots: int, gpus: int) -> None:
        self._lock = threading.Lock()
        self._free: deque[tuple[int, ...]] = deque((slot % gpus,) if gpus else () for slot in range(slots))

    @property
    def free(self) -> int:
        """The number of free slots."""
        return len(self._free)

    def acquire(self, request: SlotRequest = ONE_SLOT) -> list[tuple[int, ...]] | None:
        """Return slots, each with the indices of its GPUs; `None` if there are too few.

        An attempt on several nodes needs several workers: no single one can serve it.
        """
        with self._lock:
            if request.nodes > 1 or len(self._free) < request.gpus:
                return None
            return [self._free.popleft() for _ in range(request.gpus)]

    def release(self, slots: list[tuple[int, ...]]) -> None:
        """Give slots back."""
        with self._lock:
            self._free.extend(slots)
