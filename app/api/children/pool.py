"""Child processes with a time limit, forked from a warm server, that answer requests through a pipe."""

import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.api.children.deadlines import Deadlines
from app.errors import ServiceOverloaded, Unavailable
from app.forkserver.client import ForkServer, open_pipe
from workers.protocol.child_requests import REQUESTS, RESPONSES, ChildRequest, ChildResponse, FailureResponse

START_TIMEOUT = 120.0  # the first child waits until torch is imported, from a cold disk perhaps
EXIT_TIMEOUT = 1.0  # until a process whose pipe broke is gone
OUT_OF_MEMORY_EXIT_CODES = (
    1,
    -signal.SIGABRT,
    -signal.SIGSEGV,
)  # Python, or a library, without the memory that it needs
SERVER_MODULE = "workers.runner.preload"

_log = structlog.get_logger(__name__)
_server = ForkServer(SERVER_MODULE)
_deadlines = Deadlines()


def share_server(address: Path | None) -> None:
    """Fork children from the server that listens at `address`; `None` for one of this process's own."""
    _server.shared = address


class ChildFailure(Exception):
    """A child did not respond.

    `reason` is "time" (it was killed because its time was up), "memory" (it gave up), or "killed" (by somebody else).
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class ChildProcess:
    """A process that runs a main function of the fork server, ``inspector`` or ``predictor``, with so much memory.

    It says when it is ready, then answers one request at a time. Raises `Unavailable` if no process can be started.
    """

    def __init__(self, main: str, memory: int) -> None:
        self._pipe, theirs = open_pipe()
        try:
            self._process = _server.start(main, theirs, memory)
        except (EOFError, OSError) as error:
            self._pipe.close()
            raise _not_started(error) from None
        finally:
            theirs.close()
        try:
            with self._kill_after(START_TIMEOUT):
                self._pipe.recv_bytes()
        except ChildFailure as error:
            self.close()
            raise _not_started(error) from None

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def request(self, request: ChildRequest, seconds: float) -> ChildResponse:
        """Return the response. Raises `ChildFailure` after `seconds`, or if the process dies."""
        body = REQUESTS.encode(request)
        with self._kill_after(seconds):
            self._pipe.send_bytes(body)
            response = self._pipe.recv_bytes()
        return RESPONSES.decode(response)

    def close(self) -> None:
        """Kill the process and wait for its end."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()

    @contextmanager
    def _kill_after(self, seconds: float) -> Iterator[None]:
        """Kill the process when the time is up: that ends sending and receiving, even if it is stopped."""
        deadline = _deadlines.set(self._process.kill, seconds)
        try:
            yield
        except (EOFError, OSError):
            if deadline.expired:
                raise ChildFailure("time") from None
            self._process.join(EXIT_TIMEOUT)
            raise ChildFailure("memory" if self._process.exitcode in OUT_OF_MEMORY_EXIT_CODES else "killed") from None
        finally:
            _deadlines.meet(deadline)


def _not_started(error: Exception) -> Unavailable:
    _log.error("inspector_not_started", error=repr(error))
    return Unavailable("the inspector does not start", hint="try again in some seconds")


@dataclass(slots=True)
class PoolSlot:
    """Room for one child, and for one thread at a time."""

    number: int
    child: ChildProcess | None = None

    def __lt__(self, other: "PoolSlot") -> bool:
        """Those with a child come first: it is warm."""
        return (self.child is None, self.number) < (other.child is None, other.number)

    def get_or_start(self, main: str, memory: int) -> ChildProcess:
        """Return the child, or start one if there is none or it has died while it waited."""
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
    """A fixed number of slots for children with one main function; safe for threads.

    A child is kept for many requests, and replaced when it dies, runs out of time, or exits by itself.
    """

    def __init__(self, main: str, memory: int, count: int) -> None:
        self._main, self._memory, self._count = main, memory, count
        self._slots: queue.PriorityQueue[PoolSlot] = queue.PriorityQueue()
        for number in range(count):
            self._slots.put(PoolSlot(number))
        self._acquire_all_lock = threading.Lock()

    def warm_up(self) -> None:
        """Start the children and wait until they are ready: seconds, for torch is imported. Raises `Unavailable`."""
        with self.acquire_all() as slots:
            for slot in slots:
                slot.get_or_start(self._main, self._memory)

    def request(self, request: ChildRequest, seconds: float, wait: float, what: str) -> ChildResponse:
        """Return a child's response, or a `FailureResponse` if there is none within `seconds`.

        Raises `ServiceOverloaded` (too many of `what`) if no child is free within `wait` seconds; `Unavailable`.
        """
        try:
            slot = self._slots.get(timeout=wait)
        except queue.Empty:
            raise ServiceOverloaded(f"too many {what}", hint="try again in some seconds") from None
        try:
            return self._request_slot(slot, request, seconds)
        finally:
            self._slots.put(slot)

    def close(self) -> None:
        """End the children after their current requests. The next request would start new ones."""
        with self.acquire_all() as slots:
            for slot in slots:
                slot.drop()

    @contextmanager
    def acquire_all(self) -> Iterator[list[PoolSlot]]:
        """Hold every slot."""
        with self._acquire_all_lock:  # two threads with half of the slots each would wait for ever
            slots = [self._slots.get() for _ in range(self._count)]
        try:
            yield slots
        finally:
            for slot in slots:
                self._slots.put(slot)

    def _request_slot(self, slot: PoolSlot, request: ChildRequest, seconds: float) -> ChildResponse:
        """Return the response of the slot's child. A request whose child is killed by somebody else is retried once."""
        for _ in range(2):
            try:
                response = slot.get_or_start(self._main, self._memory).request(request, seconds)
            except ChildFailure as failure:
                response = FailureResponse(failure.reason)
            if isinstance(response, FailureResponse):  # whatever broke may have left something broken behind
                slot.drop()
            if response != FailureResponse("killed"):
                break
        return response


def request_once(main: str, memory: int, request: ChildRequest, seconds: float) -> ChildResponse:
    """Return the response of a child of its own, which is ended; a `FailureResponse` if there is none in time."""
    child = ChildProcess(main, memory)
    try:
        return child.request(request, seconds)
    except ChildFailure as failure:
        return FailureResponse(failure.reason)
    finally:
        child.close()
