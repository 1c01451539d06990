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
from workers.host.assignments import build_assignment
from workers.host.heartbeat import Heartbeat
from workers.host.persist import record
from workers.protocol.messages import (
    Command,
    CommandVerb,
    Ending,
    Message,
    Outcome,
    ProgressReport,
    SavedCheckpoint,
    receive,
    send,
)
from workers.runner import forkserver

CANCEL_TIMEOUT_SECONDS = 2.0  # a cancelled attempt that has not ended by then is killed
ATTEMPT_POLL_SECONDS = 0.5  # how often the user's wish and the clock are looked at
MAX_BACKLOG = 10_000  # messages kept while the database is away; beyond that the attempt waits on its pipe
WRITE_FAULTPOINTS = {
    ProgressReport: ("before_chunk", "chunk_committed"),
    SavedCheckpoint: ("before_row", "row_committed"),
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
        self.heartbeat = Heartbeat(self.name, settings, db, waker, queues)
        self.draining = threading.Event()
        gpus: list[int | None] = list(range(settings.gpus))
        slots = settings.resolved_slots
        self._free_slots = deque([gpus[slot % len(gpus)] if gpus else None for slot in range(slots)])
        self._slot_threads: list[threading.Thread] = []

    def run_waiting_jobs(self) -> None:
        """Claim and supervise jobs in a free slot, if there is one, until no job is waiting."""
        try:
            gpu = self._free_slots.popleft()
        except IndexError:
            return  # whoever is in the last slot looks for more work after its job
        try:
            while not self.draining.is_set() and (job := self._claim()) is not None:
                Attempt(self, job, gpu).run()
        finally:
            self._free_slots.append(gpu)

    def _claim(self) -> JobRow | None:
        with suppress(Unavailable):  # the sweeper looks for work when the database is back
            most = self.settings.limit_running_jobs
            return self.db.run(repository.claim, self.queues, self.name, self.settings.lease_seconds, most)
        return None

    def fill_free_slots(self) -> None:
        """Let every free slot look for work without a wake-up: a broker that is away delays a job, and no more."""
        self._slot_threads = [thread for thread in self._slot_threads if thread.is_alive()]
        for _ in range(len(self._free_slots)):
            thread = threading.Thread(target=self.run_waiting_jobs, name="assistant", daemon=True)
            self._slot_threads.append(thread)
            thread.start()

    @property
    def free_slots(self) -> int:
        """How many slots are free."""
        return len(self._free_slots)

    def close(self) -> None:
        """Drain: every attempt checkpoints and hands its job back. Returns when the assistants have ended too."""
        self.draining.set()
        until = time.monotonic() + self.settings.drain_seconds + CANCEL_TIMEOUT_SECONDS
        for thread in self._slot_threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        with suppress(Unavailable):
            self.heartbeat.stop()
        self.db.close()


class Attempt:
    """One attempt at one job, from its claim to the record of its Outcome."""

    def __init__(self, worker: Worker, job: JobRow, gpu: int | None) -> None:
        self.worker = worker
        self.job = job
        self.fence = job.fence
        self._gpu = gpu
        self._backlog: deque[Message] = deque()
        self._sent_verb: CommandVerb | None = None
        self._kill_at = float("inf")
        self._renew_at = 0.0
        self._poll_at = 0.0
        self._deadline = (job.started_at or 0.0) + job.max_seconds if job.max_seconds else float("inf")

    def run(self) -> None:
        """Train the job in a child process and record how it ended."""
        with bind(job_id=self.job.id, fence=self.fence):
            self._run()

    def _run(self) -> None:
        _log.info("attempt_started")
        faultpoint("claimed")
        try:
            assignment = self.worker.db.run(build_assignment, self.job, self.worker.settings, self._gpu)
        except NotFound as error:
            gone = {"code": "ground_gone", "message": error.detail, "pointer": "", "retryable": False}
            self._finish(Outcome(Ending.FAILED, error=gone))
            return
        except Unavailable as error:
            self._finish(_lost_outcome("assignment_failed", error.detail))
            return
        try:
            # Removed here, for an attempt that is killed removes nothing.
            folder = TemporaryDirectory(prefix="graftwerk-", ignore_cleanup_errors=True)
            process, pipe = forkserver.start(assignment, folder.name)
        except OSError as error:
            self._finish(_lost_outcome("spawn_failed", f"no process could be started: {error}"))
            return
        try:
            faultpoint("spawned")
            outcome = self._watch(process, pipe)
        except StaleFence:
            _log.warning("attempt_superseded")  # another attempt owns the job: stop without a word
            self.worker.heartbeat.counters.count_attempt("superseded")
            return
        except Exception as error:  # what came cannot be written down: the job must not wait for its lease to run out
            _log.exception("attempt_not_recorded")
            self._backlog.clear()
            outcome = _lost_outcome(
                "not_recorded", f"what the attempt told could not be recorded: {type(error).__name__}"
            )
        finally:
            _kill_process_group(process)
            pipe.close()
            folder.cleanup()
        self._finish(outcome)

    def _watch(self, process: ForkServerProcess, pipe: Connection) -> Outcome:
        """Pass messages on until the attempt ends. Raises `StaleFence` when the job belongs to somebody else."""
        while True:
            message = self._next_message(process, pipe)
            if isinstance(message, Outcome):
                return message
            if message is not None:
                self._backlog.append(message)
            while self._write() and time.monotonic() < self._kill_at:
                self._poll_requests(pipe)
            self._poll_requests(pipe)
            if time.monotonic() >= self._kill_at:
                _kill_process_group(process)
                return self._killed_outcome()

    def _next_message(self, process: ForkServerProcess, pipe: Connection) -> Message | None:
        """Return the next message, `None` if there is none yet, or a loss if the process died without an Outcome."""
        if len(self._backlog) >= MAX_BACKLOG:
            time.sleep(ATTEMPT_POLL_SECONDS)
            return None
        try:
            return (
                receive(pipe) if pipe.poll(min(ATTEMPT_POLL_SECONDS, self.worker.settings.lease_seconds / 4)) else None
            )
        except (EOFError, OSError):
            process.join(timeout=1)
            if self._sent_verb in ("cancel", "drain"):
                return self._killed_outcome()
            return _lost_outcome("runner_died", f"the training process ended with exit code {process.exitcode}")

    def _write(self) -> bool:
        """Write the oldest of what came, and say whether there was one; while the database is away they wait."""
        if not self._backlog:
            return False
        with suppress(Unavailable):
            message = self._backlog[0]
            before, after = WRITE_FAULTPOINTS.get(type(message), ("", ""))
            faultpoint(before)
            self.worker.db.run(record, self.job.id, self.fence, message, self.worker.settings)
            self._backlog.popleft()
            faultpoint(after)
            if isinstance(message, SavedCheckpoint):
                self.worker.heartbeat.counters.count_checkpoint(message)
                orphans.prune_checkpoints(self.worker.db, self.worker.store, self.job.id, self.fence)
            return True
        return False

    def _poll_requests(self, pipe: Connection) -> None:
        """Renew the lease, and pass on what the user or the worker wishes."""
        clock = time.monotonic()
        if clock < self._poll_at:
            return
        self._poll_at = clock + ATTEMPT_POLL_SECONDS
        wish: str | None = None
        with suppress(Unavailable):
            if clock >= self._renew_at:
                wish = self._renew()
            else:
                wish = self.worker.db.run(repository.requested_verb, self.job.id, self.fence)
        if wish == "cancel" or time.time() > self._deadline:
            self._send_command(pipe, "cancel", CANCEL_TIMEOUT_SECONDS)
        elif self.worker.draining.is_set():
            self._send_command(pipe, "drain", self.worker.settings.drain_seconds)
        elif wish == "pause":
            self._send_command(pipe, "pause", float("inf"))

    def _renew(self) -> str | None:
        """Extend the lease; returns the user's wish."""
        lease = self.worker.settings.lease_seconds
        wish = self.worker.db.run(repository.renew_lease, self.job.id, self.fence, lease)
        self._renew_at = time.monotonic() + lease / 3
        faultpoint("lease_renewed")
        return wish

    def _send_command(self, pipe: Connection, verb: CommandVerb, patience: float) -> None:
        if self._sent_verb == verb:
            return
        if verb == "cancel":
            faultpoint("cancel_seen")
        self._sent_verb = verb
        self._kill_at = time.monotonic() + patience
        with suppress(OSError):
            send(pipe, Command(verb))

    def _killed_outcome(self) -> Outcome:
        return Outcome(Ending.CANCELLED if self._sent_verb == "cancel" else Ending.RELEASED)

    def _finish(self, outcome: Outcome) -> None:
        """Record the Outcome, however long the database is away, unless the job has changed hands meanwhile."""
        if outcome.ending is Ending.CANCELLED and time.time() > self._deadline:
            message = f"the job ran longer than max_seconds ({self.job.max_seconds:g})"
            error = {"code": "time_limit", "message": message, "pointer": "/max_seconds", "retryable": False}
            outcome = Outcome(Ending.FAILED, error=error)
        self._backlog.append(outcome)
        try:
            self._flush_backlog()
        except StaleFence:
            _log.warning("outcome_refused", ending=outcome.ending)
            return
        _log.info("attempt_ended", ending=outcome.ending, error=outcome.error)
        self.worker.heartbeat.counters.count_outcome(outcome)
        with suppress(Unavailable):
            orphans.remove_job_orphans(self.worker.db, self.worker.store, self.job.id, self.fence)
        if outcome.ending in (Ending.LOST, Ending.RELEASED, Ending.PAUSED):  # a wish to pause may be taken back
            self.worker.waker.wake(self.job.queue)

    def _flush_backlog(self) -> None:
        """Write the backlog; a worker that must stop does not wait for the database longer than its grace.

        What is then lost is recovered by the sweeper: the lease expires and the job goes on from its checkpoint.
        """
        patience = self.worker.settings.drain_seconds
        while self._backlog and patience > 0:
            if time.monotonic() >= self._renew_at:  # after an outage there may be much to write
                with suppress(Unavailable):
                    self._renew()
            if not self._write():
                time.sleep(ATTEMPT_POLL_SECONDS)
                patience -= ATTEMPT_POLL_SECONDS if self.worker.draining.is_set() else 0


def _lost_outcome(code: str, message: str) -> Outcome:
    return Outcome(Ending.LOST, error={"code": code, "message": message, "pointer": "", "retryable": True})


def _kill_process_group(process: ForkServerProcess) -> None:
    """End the attempt's whole process group; it has one of its own as soon as it runs."""
    if process.pid is not None and process.is_alive():
        process.join(timeout=0.2)  # an attempt that has sent its Outcome is about to end
        for end in (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                end(process.pid, signal.SIGKILL)
    process.join(timeout=5)
