"""The API's window on torch: warm child processes with limits, which inspect networks and read uploads.

The API process never loads torch, and no spec can stall it: a child that takes too long is killed and replaced.
"""

import json
import queue
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog

from app.errors import InvalidInput, Overloaded, Problem, Unavailable
from app.settings import Settings
from app.spec.data import DataSchema

CHILDREN = 2  # so that one hostile spec does not stall everybody
READERS = 2  # uploads that are read at the same time
ENDING_SECONDS = 1.0  # until a process whose pipe broke is gone
START_SECONDS = 120.0  # the first child waits until torch is imported, from a cold disk perhaps
READING_FACTOR = 12  # an upload may take this many times as long as a spec
UPLOAD_FACTOR = 4  # and this many times its largest size in memory
PRELOAD = ["workers.warm", "app.api.inspection"]

SMALLER = "use fewer nodes of different sizes, or fewer layers in one node"
FAULT = Problem("/model", "inspection_failed", "the network could not be inspected, which is a fault of this service",
                "try again; if that does not help, report it with the spec")  # fmt: skip
UNREADABLE = Problem("", "unreadable", "the content could not be read", "check the file, and upload it again")

_log = structlog.get_logger(__name__)
_context = get_context("forkserver")
_starting = threading.Lock()  # multiprocessing's own bookkeeping is not made for several threads


class Uninspectable(InvalidInput):
    """The job has problems; `partial` is the report as far as it goes (empty for problems of form)."""

    def __init__(self, problems: list[Problem], partial: Mapping[str, Any]) -> None:
        super().__init__(problems)
        self.partial = partial


@dataclass(frozen=True, slots=True)
class Described:
    """What an upload turned out to be: a schema and its first rows, or problems."""

    schema: DataSchema | None
    preview: list[dict[str, Any]]
    problems: tuple[Problem, ...]


class Lost(Exception):
    """A child did not answer.

    `reason` is "time" (it was killed because its time was up), "memory" (it gave up), or "killed" (by somebody else).
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def _main(pipe: Connection, memory: int) -> None:
    from workers.inspect import serve  # noqa: PLC0415 - in the child alone: it loads torch

    serve(pipe, memory)


class Child:
    """A process that answers one request at a time and may take `memory` bytes beyond those of its parent.

    Raises `Unavailable` where no process can be started.
    """

    def __init__(self, memory: int) -> None:
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(target=_main, args=(theirs, memory), daemon=True)
        try:
            with _starting:
                _context.set_forkserver_preload(PRELOAD)
                self._process.start()
            theirs.close()
            with self._killed_after(START_SECONDS):
                self._pipe.recv_bytes()
        except (Lost, EOFError, OSError) as error:
            theirs.close()
            self.close()
            _log.error("inspector_not_started", error=repr(error))
            raise Unavailable("the inspector does not start", hint="try again in some seconds") from None

    @property
    def pid(self) -> int | None:
        """The process's id."""
        return self._process.pid

    def ask(self, body: bytes, seconds: float) -> dict[str, Any]:
        """Return the answer to a request (JSON); raises `Lost` after `seconds`, or when the process dies."""
        with self._killed_after(seconds):
            self._pipe.send_bytes(body)
            answer: dict[str, Any] = json.loads(self._pipe.recv_bytes())
        return answer

    def close(self) -> None:
        """End the process and wait for its end."""
        with _starting:
            if self._process.pid is not None:
                self._process.kill()
                self._process.join()
            self._process.close()
        self._pipe.close()

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
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
                raise Lost("time") from None
            self._process.join(ENDING_SECONDS)
            gave_up = self._process.exitcode in (-signal.SIGABRT, -signal.SIGSEGV)  # libraries without an allocation
            raise Lost("memory" if gave_up else "killed") from None
        finally:
            timer.cancel()
            timer.join()


@dataclass(slots=True)
class Place:
    """Room for one child, and for one thread at a time."""

    number: int
    child: Child | None = None

    def __lt__(self, other: "Place") -> bool:
        """Those with a child come first: it is warm."""
        return (self.child is None, self.number) < (other.child is None, other.number)

    def drop(self) -> None:
        """End the child."""
        if self.child is not None:
            self.child.close()
            self.child = None


class Inspector:
    """Inspects jobs and reads uploads in children; safe for threads.

    A child is kept for many jobs, and replaced when it dies, runs out of time, or says that it is worn out.
    """

    def __init__(self, settings: Settings) -> None:
        self._upload_limit = settings.upload_limit
        self._seconds, self._memory = settings.inspect_seconds, settings.inspect_memory
        self._limits = {
            "max_nodes": settings.max_nodes,
            "max_parameters": settings.max_parameters,
            "memory_limit": settings.memory_limit,
        }
        self._places: queue.PriorityQueue[Place] = queue.PriorityQueue()
        for number in range(CHILDREN):
            self._places.put(Place(number))
        self._gathering = threading.Lock()
        self._readers = threading.BoundedSemaphore(READERS)

    def warm_up(self) -> None:
        """Start the children and wait until they are ready: seconds, for torch is imported. Raises `Unavailable`."""
        with self._all() as places:
            for place in places:
                place.child = place.child or Child(self._memory)

    def inspect(self, document: Mapping[str, Any], schema: DataSchema) -> dict[str, Any]:
        """Return the report on a job as the user wrote it.

        Raises `Uninspectable` with every problem, also where the inspection takes more time or memory than allowed;
        `Overloaded` when no child is free in time; `Unavailable`.
        """
        request = {"ask": "inspect", "job": document, "schema": schema.model_dump(mode="json"), "limits": self._limits}
        body = json.dumps(request).encode()
        try:
            place = self._places.get(timeout=self._seconds)
        except queue.Empty:
            raise Overloaded("too many specs are being inspected", hint="try again in some seconds") from None
        try:
            answer = self._answer(place, body)
        finally:
            self._places.put(place)
        problems = [Problem(**problem) for problem in answer["problems"]]
        if problems:
            raise Uninspectable(problems, answer["report"])
        report: dict[str, Any] = answer["report"]
        return report

    def describe(self, path: Path, content_format: str, target: str | None = None) -> Described:
        """Say what uploaded content holds, read in a process of its own. Raises `Overloaded`, `Unavailable`."""
        memory = UPLOAD_FACTOR * self._upload_limit
        request = {"ask": "describe", "path": str(path), "format": content_format, "target": target,
                   "limit": memory // 2}  # fmt: skip
        if not self._readers.acquire(timeout=self._seconds):
            raise Overloaded("too many uploads are being read", hint="try again in some seconds")
        try:
            answer = _read(json.dumps(request).encode(), memory, READING_FACTOR * self._seconds)
        finally:
            self._readers.release()
        schema = DataSchema.model_validate(answer["schema"]) if answer.get("schema") is not None else None
        problems = tuple(Problem(**problem) for problem in answer["problems"])
        return Described(schema, answer.get("preview", []), problems)

    def close(self) -> None:
        """End the children, after what they are at. The next request would start new ones."""
        with self._all() as places:
            for place in places:
                place.drop()

    @contextmanager
    def _all(self) -> Iterator[list[Place]]:
        with self._gathering:  # two threads with half of the places each would wait for ever
            places = [self._places.get() for _ in range(CHILDREN)]
        try:
            yield places
        finally:
            for place in places:
                self._places.put(place)

    def _answer(self, place: Place, body: bytes) -> dict[str, Any]:
        """Ask the place's child. One that died gets a second try, for it may have been killed while it waited."""
        for _ in range(2):
            if place.child is None:
                place.child = Child(self._memory)
            try:
                answer = place.child.ask(body, self._seconds)
            except Lost as lost:
                place.drop()
                if lost.reason == "killed":
                    continue
                answer = {"failure": lost.reason, "worn": False}
            if answer["worn"]:
                place.drop()
            return self._checked(answer)
        return self._checked({"failure": "killed"})

    def _checked(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "failure" not in answer:
            return answer
        excesses = {"time": f"{self._seconds:g} s", "memory": _size(self._memory)}
        problems = {
            reason: Problem("/model", "too_complex", f"inspecting the network takes more than {much}", SMALLER)
            for reason, much in excesses.items()
        }
        if answer["failure"] not in problems:
            _log.error("inspection_failed", error=answer["failure"])
        raise Uninspectable([problems.get(answer["failure"], FAULT)], {})


def _size(count: int) -> str:
    return f"{count >> 20} MiB"


def _read(body: bytes, memory: int, seconds: float) -> dict[str, Any]:
    """Have a fresh child read an upload, and end it; the answer has only problems where the child failed."""
    child = Child(memory)
    try:
        answer = child.ask(body, seconds)
    except Lost as lost:
        answer = {"failure": lost.reason}
    finally:
        child.close()
    problems = {
        "time": Problem("", "too_complex", f"reading the content takes more than {seconds:g} s", "upload fewer rows"),
        "memory": Problem("", "too_large", f"reading the content takes more than {_size(memory)}", "upload fewer rows"),
    }
    if "failure" in answer:
        if answer["failure"] not in problems:
            _log.error("upload_not_read", error=answer["failure"])
        answer = {"problems": [problems.get(answer["failure"], UNREADABLE).as_dict()]}
    return answer
