"""Deadlines of processes: one thread kills those whose time is up, however many requests wait for them."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class Deadline:
    """The time on the monotonic clock at which `kill` is called, unless the deadline was met before."""

    at: float
    number: int  # the earlier of two equal ones
    kill: Callable[[], None] | None = field(compare=False)  # None: met
    expired: bool = field(default=False, compare=False)


class Deadlines:
    """Kills processes at their deadlines, from a thread that starts with the first of them; safe for threads.

    A deadline that is met stays in the heap until the thread wakes, at the time of the earliest. Most are as long as
    the others, so that a new one is hardly ever the earliest, and the thread sleeps on.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._heap: list[Deadline] = []
        self._thread: threading.Thread | None = None

    def set(self, kill: Callable[[], None], seconds: float) -> Deadline:
        """Let a process be killed in `seconds`. `kill` must not wait for anything."""
        deadline = Deadline(time.monotonic() + seconds, next(self._numbers), kill)
        with self._changed:
            heapq.heappush(self._heap, deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif self._heap[0] is deadline:
                self._changed.notify()
        return deadline

    def meet(self, deadline: Deadline) -> None:
        """Let the process live. If it is being killed, return when it has been."""
        with self._changed:
            deadline.kill = None

    def _run(self) -> None:
        with self._changed:
            while True:
                self._changed.wait(self._heap[0].at - time.monotonic() if self._heap else None)
                while self._heap and (self._heap[0].kill is None or self._heap[0].at <= time.monotonic()):
                    deadline = heapq.heappop(self._heap)
                    if deadline.kill is not None:
                        deadline.expired = True
                        deadline.kill()
