"""What a worker reports with every heartbeat: its slots, its counts, and whether it still receives wake-ups."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from app import heartbeat
from app.db.session import Database
from app.heartbeat import WorkerState
from app.jobs.dispatch import Waker
from app.settings import Settings
from workers.protocol.messages import Outcome, SavedCheckpoint
from workers.runner.memory import MemoryWatch

VERSION = version("graftwerk")


class WorkerCounters:
    """Counts since the worker started; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: dict[str, Counter[str]] = {}
        self._checkpoints = {"count": 0, "bytes": 0, "seconds": 0.0}

    def count_attempt(self, ending: str, code: str = "") -> None:
        """Count the end of an attempt; `code` is that of its error."""
        with self._lock:
            self._attempts.setdefault(str(ending), Counter())[code] += 1  # JSON's keys are plain text

    def count_outcome(self, outcome: Outcome) -> None:
        """Count an attempt by its outcome."""
        self.count_attempt(outcome.ending, str((outcome.error or {}).get("code", "")))

    def count_checkpoint(self, saved: SavedCheckpoint) -> None:
        """Count a checkpoint."""
        with self._lock:
            self._checkpoints["count"] += 1
            self._checkpoints["bytes"] += sum(file.size for file in saved.files)
            self._checkpoints["seconds"] += saved.seconds

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        with self._lock:
            attempts = {ending: dict(codes) for ending, codes in self._attempts.items()}
            return {"attempts": attempts, "checkpoints": dict(self._checkpoints)}


class ConsumerProbe:
    """Detects a consumer that receives no wake-ups: the worker sends some to itself while a slot is free.

    A consumer may hang, or be connected and yet receive nothing after an outage of its broker; without a probe both
    look like an empty queue.
    """

    def __init__(self, name: str, waker: Waker, interval: float) -> None:
        self.queue = f"graftwerk.{name}"
        self._waker, self._interval = waker, interval
        self._received = self._received_before = self._sent = self._dropped = 0
        self._probed_at = float("-inf")
        self._unresponsive_since: float | None = None

    def record_message(self) -> None:
        """Record that a wake-up has arrived, whoever sent it."""
        self._received += 1

    def unresponsive_seconds(self, free: bool, clock: float) -> float:
        """Return for how many seconds no probe has arrived, at the time `clock`; sends the next probe if it is due.

        It is 0 while no slot is free, for Celery then takes no messages, and while the broker is away.
        """
        sent, dropped = self._waker.sent[self.queue], self._waker.dropped[self.queue]
        answered, unanswered = self._received > self._received_before, sent > self._sent
        if answered or dropped > self._dropped or not free:
            self._unresponsive_since = None
        elif unanswered and self._unresponsive_since is None:
            self._unresponsive_since = self._probed_at
        self._dropped = dropped
        if free and clock >= self._probed_at + self._interval:
            self._received_before, self._sent, self._probed_at = self._received, sent, clock
            self._waker.wake(self.queue)
        return clock - self._unresponsive_since if self._unresponsive_since is not None else 0.0


class Heartbeat:
    """The heartbeats of a worker."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        db: Database,
        waker: Waker,
        queues: list[str],
        devices: tuple[str, ...] | None = None,
    ) -> None:
        self.counters = WorkerCounters()
        self._memory: dict[str, MemoryWatch] = {}  # by the ids of jobs that run
        self.probe = ConsumerProbe(name, waker, settings.deaf_seconds / 4)
        self._name, self._settings, self._db, self._waker, self._queues = name, settings, db, waker, queues
        self._devices = {"devices": list(devices)} if devices is not None else {}

    def send(self, free: int, draining: bool = False) -> float:
        """Send a heartbeat; returns for how many seconds the worker has received no wake-up. Raises `Unavailable`."""
        deaf = self.probe.unresponsive_seconds(free > 0, time.monotonic())
        self._save_state(WorkerState(VERSION, 0 if draining else free, deaf, self._counts()), draining)
        return deaf

    def stop(self) -> None:
        """Send the last heartbeat. Raises `Unavailable`."""
        self._save_state(WorkerState(VERSION, 0, 0.0, self._counts()), draining=True)
        self._db.run(heartbeat.mark_stopped, self._name)

    def _save_state(self, state: WorkerState, draining: bool) -> None:
        slots = 0 if draining else self._settings.resolved_slots  # it takes no more jobs
        self._db.run(heartbeat.record_heartbeat, self._name, self._queues, slots, state)

    @contextmanager
    def report_memory(self, job_id: str, watch: MemoryWatch) -> Iterator[None]:
        """Report what a job's processes use with every heartbeat, as long as the context."""
        self._memory[job_id] = watch
        try:
            yield
        finally:
            del self._memory[job_id]

    def _counts(self) -> dict[str, Any]:
        memory = {job_id: watch.used for job_id, watch in self._memory.copy().items()}
        return (
            self.counters.as_dict()
            | {"wake_ups": self._waker.counts(), "disk_free": self._settings.disk_free, "memory": memory}
            | self._devices
        )
