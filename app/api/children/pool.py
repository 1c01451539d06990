"""Child processes with a time limit, forked from a warm server and asked through a pipe."""

import json
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import structlog

from app.errors import ServiceOverloaded, Unavailable

START_TIMEOUT = 120.0  # the first child waits until torch is imported, from a cold disk perhaps
EXIT_TIMEOUT = 1.0  # until a process whose pipe broke is gone
OUT_OF_MEMORY_EXIT_CODES = (
    1,
    -signal.SIGABRT,
    -signal.SIGSEGV,
)  # Python, or a library, without the memory that it needs
PRELOAD_MODULES = ["workers.runner.preload", "app.api.children.inspector", "app.api.children.predictor"]

ChildMain = Callable[[Connection, int], None]

_log = structlog.get_logger(__name__)
_context = get_context("forkserver")
_start_lock = threading.Lock()  # multiprocessing's own bookkeeping is not made for several threads


class ChildFailure(Exception):
    """A child did not answer.

    `reason` is "time" (it was killed because its time was up), "memory" (it gave up), or "killed" (by somebody else).
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class ChildProcess:
    """A process that runs `main(pipe, memory)`: it says when it is ready, then answers one request at a time, in JSON.

    `main` is found by its name, in the module that the forkserver has imported. Raises `Unavailable` where no process
    can be started.
    """

    def __init__(self, main: ChildMain, memory: int) -> None:
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(target=main, args=(theirs, memory), daemon=True)
        try:
            with _start_lock:
                _context.set_forkserver_preload(PRELOAD_MODULES)
                self._process.start()
            theirs.close()
            with self._kill_after(START_TIMEOUT):
                self._pipe.recv_bytes()
        except (ChildFailure, EOFError, OSError) as error:
            theirs.close()
            self.close()
            _log.error("inspector_not_started", error=repr(error))
            raise Unavailable("the inspector does not start", hint="try again in some seconds") from None

    @property
    def pid(self) -> int | None:
        """The process's id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    def request(self, body: bytes, seconds: float) -> dict[str, Any]:
        """Return the answer to a request (JSON); raises `Lost` after `seconds`, or when the process dies."""
        with self._kill_after(seconds):
            self._pipe.send_bytes(body)
            answer: dict[str, Any] = json.loads(self._pipe.recv_bytes())
        return answer

    def close(self) -> None:
        """End the process and wait for its end."""
        with _start_lock:
            if self._process.pid is not None:
                self._process.kill()
                self._process.join()
            self._process.close()
        self._pipe.close()

    @contextmanager
    def _kill_after(self, seconds: float) -> Iterator[None]:
        """Kill the process when the time is up: that ends sending and receiving, even if it is stopped."""
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._process.kill()

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (EOFError, OSError):
            if expired.is_set():
                raise ChildFailure("time") from None
            self._process.join(EXIT_TIMEOUT)
            raise ChildFailure("memory" if self._process.exitcode in OUT_OF_MEMORY_EXIT_CODES else "killed") from None
        finally:
            timer.cancel()
            timer.join()


@dataclass(slots=True)
class PoolSlot:
    """Room for one child, and for one thread at a time."""

    number: int
    child: ChildProcess | None = None

    def __lt__(self, other: "PoolSlot") -> bool:
        """Those with a child come first: it is warm."""
        return (self.child is None, self.number) < (other.child is None, other.number)

    def get_or_start(self, main: ChildMain, memory: int) -> ChildProcess:
        """Return the child, or a new one where there is none or it has died while it waited."""
        if self.child is not None and not self.child.is_running:
            self.drop()
        if self.child is None:
            self.child = ChildProcess(main, memory)
        return self.child

    def drop(self) -> None:
        """End the child."""
        if self.child is not None:
            self.child.close()
            self.child = None


class ChildPool:
    """Places for children of one kind; safe for threads.

    A child is kept for many requests, and replaced when it dies, runs out of time, or ends because it is worn out.
    """

    def __init__(self, main: ChildMain, memory: int, count: int) -> None:
        self._main, self._memory, self._count = main, memory, count
        self._slots: queue.PriorityQueue[PoolSlot] = queue.PriorityQueue()
        for number in range(count):
            self._slots.put(PoolSlot(number))
        self._acquire_all_lock = threading.Lock()

    def warm_up(self) -> None:
        """Start the children and wait until they are ready: seconds, for torch is imported. Raises `Unavailable`."""
        with self.acquire_all() as places:
            for place in places:
                place.get_or_start(self._main, self._memory)

    def request(self, body: bytes, seconds: float, wait: float, what: str) -> dict[str, Any]:
        """Return a child's answer; where it does not give one within `seconds`, "failure" is the reason.

        Raises `Overloaded`, telling that too many of `what`, when no child is free within `wait` seconds;
        `Unavailable`.
        """
        try:
            place = self._slots.get(timeout=wait)
        except queue.Empty:
            raise ServiceOverloaded(f"too many {what}", hint="try again in some seconds") from None
        try:
            return self._request_slot(place, body, seconds)
        finally:
            self._slots.put(place)

    def close(self) -> None:
        """End the children, after what they are at. The next request would start new ones."""
        with self.acquire_all() as places:
            for place in places:
                place.drop()

    @contextmanager
    def acquire_all(self) -> Iterator[list[PoolSlot]]:
        """Hold every place."""
        with self._acquire_all_lock:  # two threads with half of the places each would wait for ever
            places = [self._slots.get() for _ in range(self._count)]
        try:
            yield places
        finally:
            for place in places:
                self._slots.put(place)

    def _request_slot(self, place: PoolSlot, body: bytes, seconds: float) -> dict[str, Any]:
        """Ask the place's child. If somebody kills it, the request gets a second try: it need not be its fault."""
        for _ in range(2):
            try:
                answer = place.get_or_start(self._main, self._memory).request(body, seconds)
            except ChildFailure as lost:
                place.drop()
                if lost.reason == "killed":
                    continue
                answer = {"failure": lost.reason}
            if "failure" in answer:  # whatever broke may have left something broken behind
                place.drop()
            return answer
        return {"failure": "killed"}
