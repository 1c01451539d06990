"""Claim → spawn → watch → Outcome → record. The supervisor never imports torch and owns every write of its attempt."""

import os
import signal
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from tempfile import TemporaryDirectory

import structlog

from app.db.session import Database
from app.db.tables import JobRow
from app.errors import NotFound, StaleFence, Unavailable
from app.faultpoints import faultpoint
from app.jobs import repository
from app.jobs.dispatch import Waker
from app.lifecycle import orphans
from app.logs import bind
from app.settings import Settings
from app.storage.protocol import ArtifactStore
from workers.host.assignments import assignment_for
from workers.host.heartbeat import Pulse
from workers.host.persist import record
from workers.protocol.messages import Command, Ending, Message, Outcome, Report, Saved, Verb, receive, send
from workers.runner import forkserver

CANCEL_SECONDS = 2.0  # a cancelled attempt that has not ended by then is killed
LOOK_SECONDS = 0.5  # how often the user's wish and the clock are looked at
BACKLOG = 10_000  # messages kept while the database is away; beyond that the attempt waits on its pipe
AROUND = {
    Report: ("before_chunk", "chunk_committed"),
    Saved: ("before_row", "row_committed"),
    Outcome: ("before_outcome", "outcome_committed"),
}  # the points before and after a message is written

_log = structlog.get_logger(__name__)


def worker_name() -> str:
    """Return what this process is called in logs, rows and figures."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Worker:
    """What all slots of a worker process share."""

    def __init__(self, settings: Settings, db: Database, store: ArtifactStore, waker: Waker, queues: list[str]) -> None:
        self.settings = settings
        self.db = db
        self.store = store
        self.waker = waker
        self.queues = queues
        self.name = worker_name()
        self.pulse = Pulse(self.name, settings, db, waker, queues)
        self.draining = threading.Event()
        gpus: list[int | None] = list(range(settings.gpus))
        slots = settings.resolved_slots
        self._free = deque([gpus[slot % len(gpus)] if gpus else None for slot in range(slots)])
        self._assistants: list[threading.Thread] = []

    def work(self) -> None:
        """Claim and supervise jobs in a free slot, if there is one, until no job is waiting."""
        try:
            gpu = self._free.popleft()
        except IndexError:
            return  # whoever is in the last slot looks for more work after its job
        try:
            while not self.draining.is_set() and (job := self._claim()) is not None:
                Attempt(self, job, gpu).run()
        finally:
            self._free.append(gpu)

    def _claim(self) -> JobRow | None:
        with suppress(Unavailable):  # the sweeper looks for work when the database is back
            most = self.settings.limit_running_jobs
            return self.db.run(repository.claim, self.queues, self.name, self.settings.lease_seconds, most)
        return None

    def assist(self) -> None:
        """Let every free slot look for work without a wake-up: a broker that is away delays a job, and no more."""
        self._assistants = [thread for thread in self._assistants if thread.is_alive()]
        for _ in range(len(self._free)):
            thread = threading.Thread(target=self.work, name="assistant", daemon=True)
            self._assistants.append(thread)
            thread.start()

    @property
    def free(self) -> int:
        """How many slots are free."""
        return len(self._free)

    def close(self) -> None:
        """Drain: every attempt checkpoints and hands its job back. Returns when the assistants have ended too."""
        self.draining.set()
        until = time.monotonic() + self.settings.drain_seconds + CANCEL_SECONDS
        for thread in self._assistants:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        with suppress(Unavailable):
            self.pulse.stop()
        self.db.close()


class Attempt:
    """One attempt at one job, from its claim to the record of its Outcome."""

    def __init__(self, worker: Worker, job: JobRow, gpu: int | None) -> None:
        self.worker = worker
        self.job = job
        self.fence = job.fence
        self._gpu = gpu
        self._backlog: deque[Message] = deque()
        self._asked: Verb | None = None
        self._kill_at = float("inf")
        self._renew_at = 0.0
        self._look_at = 0.0
        self._deadline = (job.started_at or 0.0) + job.max_seconds if job.max_seconds else float("inf")

    def run(self) -> None:
        """Train the job in a child process and record how it ended."""
        with bind(job_id=self.job.id, fence=self.fence):
            self._run()

    def _run(self) -> None:
        _log.info("attempt_started")
        faultpoint("claimed")
        try:
            assignment = self.worker.db.run(assignment_for, self.job, self.worker.settings, self._gpu)
        except NotFound as error:
            gone = {"code": "ground_gone", "message": error.detail, "pointer": "", "retryable": False}
            self._finish(Outcome(Ending.FAILED, error=gone))
            return
        except Unavailable as error:
            self._finish(_lost("assignment_failed", error.detail))
            return
        try:
            # Removed here, for an attempt that is killed removes nothing.
            folder = TemporaryDirectory(prefix="graftwerk-", ignore_cleanup_errors=True)
            process, pipe = forkserver.start(assignment, folder.name)
        except OSError as error:
            self._finish(_lost("spawn_failed", f"no process could be started: {error}"))
            return
        try:
            faultpoint("spawned")
            outcome = self._watch(process, pipe)
        except StaleFence:
            _log.warning("attempt_superseded")  # another attempt owns the job: stop without a word
            self.worker.pulse.tally.ended("superseded")
            return
        except Exception as error:  # what came cannot be written down: the job must not wait for its lease to run out
            _log.exception("attempt_not_recorded")
            self._backlog.clear()
            outcome = _lost("not_recorded", f"what the attempt told could not be recorded: {type(error).__name__}")
        finally:
            _kill(process)
            pipe.close()
            folder.cleanup()
        self._finish(outcome)

    def _watch(self, process: ForkServerProcess, pipe: Connection) -> Outcome:
        """Pass messages on until the attempt ends. Raises `StaleFence` when the job belongs to somebody else."""
        while True:
            message = self._next(process, pipe)
            if isinstance(message, Outcome):
                return message
            if message is not None:
                self._backlog.append(message)
            while self._write() and time.monotonic() < self._kill_at:
                self._look(pipe)
            self._look(pipe)
            if time.monotonic() >= self._kill_at:
                _kill(process)
                return self._killed()

    def _next(self, process: ForkServerProcess, pipe: Connection) -> Message | None:
        """Return the next message, `None` if there is none yet, or a loss if the process died without an Outcome."""
        if len(self._backlog) >= BACKLOG:
            time.sleep(LOOK_SECONDS)
            return None
        try:
            return receive(pipe) if pipe.poll(min(LOOK_SECONDS, self.worker.settings.lease_seconds / 4)) else None
        except (EOFError, OSError):
            process.join(timeout=1)
            if self._asked in ("cancel", "drain"):
                return self._killed()
            return _lost("runner_died", f"the training process ended with exit code {process.exitcode}")

    def _write(self) -> bool:
        """Write the oldest of what came, and say whether there was one; while the database is away they wait."""
        if not self._backlog:
            return False
        with suppress(Unavailable):
            message = self._backlog[0]
            before, after = AROUND.get(type(message), ("", ""))
            faultpoint(before)
            self.worker.db.run(record, self.job.id, self.fence, message, self.worker.settings)
            self._backlog.popleft()
            faultpoint(after)
            if isinstance(message, Saved):
                self.worker.pulse.tally.saved(message)
                orphans.trim(self.worker.db, self.worker.store, self.job.id, self.fence)
            return True
        return False

    def _look(self, pipe: Connection) -> None:
        """Renew the lease, and pass on what the user or the worker wishes."""
        clock = time.monotonic()
        if clock < self._look_at:
            return
        self._look_at = clock + LOOK_SECONDS
        wish: str | None = None
        with suppress(Unavailable):
            if clock >= self._renew_at:
                wish = self._renew()
            else:
                wish = self.worker.db.run(repository.wish_of, self.job.id, self.fence)
        if wish == "cancel" or time.time() > self._deadline:
            self._ask(pipe, "cancel", CANCEL_SECONDS)
        elif self.worker.draining.is_set():
            self._ask(pipe, "drain", self.worker.settings.drain_seconds)
        elif wish == "pause":
            self._ask(pipe, "pause", float("inf"))

    def _renew(self) -> str | None:
        """Extend the lease; returns the user's wish."""
        lease = self.worker.settings.lease_seconds
        wish = self.worker.db.run(repository.renew, self.job.id, self.fence, lease)
        self._renew_at = time.monotonic() + lease / 3
        faultpoint("lease_renewed")
        return wish

    def _ask(self, pipe: Connection, verb: Verb, patience: float) -> None:
        if self._asked == verb:
            return
        if verb == "cancel":
            faultpoint("cancel_seen")
        self._asked = verb
        self._kill_at = time.monotonic() + patience
        with suppress(OSError):
            send(pipe, Command(verb))

    def _killed(self) -> Outcome:
        return Outcome(Ending.CANCELLED if self._asked == "cancel" else Ending.RELEASED)

    def _finish(self, outcome: Outcome) -> None:
        """Record the Outcome, however long the database is away, unless the job has changed hands meanwhile."""
        if outcome.ending is Ending.CANCELLED and time.time() > self._deadline:
            message = f"the job ran longer than max_seconds ({self.job.max_seconds:g})"
            error = {"code": "time_limit", "message": message, "pointer": "/max_seconds", "retryable": False}
            outcome = Outcome(Ending.FAILED, error=error)
        self._backlog.append(outcome)
        try:
            self._settle()
        except StaleFence:
            _log.warning("outcome_refused", ending=outcome.ending)
            return
        _log.info("attempt_ended", ending=outcome.ending, error=outcome.error)
        self.worker.pulse.tally.outcome(outcome)
        with suppress(Unavailable):
            orphans.collect(self.worker.db, self.worker.store, self.job.id, self.fence)
        if outcome.ending in (Ending.LOST, Ending.RELEASED, Ending.PAUSED):  # a wish to pause may be taken back
            self.worker.waker.wake(self.job.queue)

    def _settle(self) -> None:
        """Write the backlog; a worker that must stop does not wait for the database longer than its grace.

        What is then lost is recovered by the sweeper: the lease expires and the job goes on from its checkpoint.
        """
        patience = self.worker.settings.drain_seconds
        while self._backlog and patience > 0:
            if time.monotonic() >= self._renew_at:  # after an outage there may be much to write
                with suppress(Unavailable):
                    self._renew()
            if not self._write():
                time.sleep(LOOK_SECONDS)
                patience -= LOOK_SECONDS if self.worker.draining.is_set() else 0


def _lost(code: str, message: str) -> Outcome:
    return Outcome(Ending.LOST, error={"code": code, "message": message, "pointer": "", "retryable": True})


def _kill(process: ForkServerProcess) -> None:
    """End the attempt's whole process group; it has one of its own as soon as it runs."""
    if process.pid is not None and process.is_alive():
        process.join(timeout=0.2)  # an attempt that has sent its Outcome is about to end
        for end in (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                end(process.pid, signal.SIGKILL)
    process.join(timeout=5)
