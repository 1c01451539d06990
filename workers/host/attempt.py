"""One attempt at a job, from its claim to its recorded outcome. All rows of an attempt are written here."""

import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Protocol

import structlog

from app.db.session import Database
from app.db.tables import JobRow
from app.disk.spool import Spool
from app.errors import NotFound, StaleFence, StorageFull, Unavailable
from app.faultpoints import faultpoint
from app.jobs import repository
from app.jobs.dispatch import Waker
from app.lifecycle import orphans, superseded_checkpoints
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
    JobMessage,
    Message,
    Outcome,
    ProgressReport,
    SavedCheckpoint,
    receive,
    send,
)
from workers.runner import forkserver
from workers.runner.process_group import ProcessGroup

CANCEL_TIMEOUT_SECONDS = 2.0  # a cancelled attempt that has not ended by then is killed
ATTEMPT_POLL_SECONDS = 0.5  # how often the user's request and the clock are looked at
MAX_BACKLOG = 10_000  # messages kept while the database is away; beyond that the attempt waits on its pipe
WRITE_FAULTPOINTS: dict[type[JobMessage], tuple[str, str]] = {  # before and after a message is written
    ProgressReport: ("before_chunk", "chunk_committed"),
    SavedCheckpoint: ("before_row", "row_committed"),
    Outcome: ("before_outcome", "outcome_committed"),
}

_log = structlog.get_logger(__name__)


class AttemptHost(Protocol):
    """What an attempt needs of its worker."""

    settings: Settings
    db: Database
    store: ArtifactStore
    waker: Waker
    heartbeat: Heartbeat
    spool: Spool
    draining: threading.Event


class Attempt:
    """One attempt at one job. `gpus` are the indices of the GPUs that it may use."""

    def __init__(self, worker: AttemptHost, job: JobRow, gpus: tuple[int, ...] = ()) -> None:
        self.worker = worker
        self.job = job
        self.fence = job.fence
        self._gpus = gpus
        self._fences = {job.id: job.fence}  # of every job in the attempt: today one
        self._backlog: deque[JobMessage] = deque()
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
            assignment = self.worker.db.run(build_assignment, self.job, self.worker.settings, self._gpus)
        except NotFound as error:
            missing = {"code": "ground_gone", "message": error.detail, "pointer": "", "retryable": False}
            self._finish(Outcome(Ending.FAILED, error=missing))
            return
        except Unavailable as error:
            self._finish(_lost_outcome("assignment_failed", error.detail))
            return
        with ExitStack() as stack:
            try:
                # The worker removes the folder: a killed attempt removes nothing.
                folder = stack.enter_context(self.worker.spool.folder("attempt"))
                processes = forkserver.start(assignment, str(folder))
            except (OSError, StorageFull) as error:
                self._finish(_lost_outcome("spawn_failed", f"no process could be started: {error}"))
                return
            outcome = self._supervise(processes)
        if outcome is not None:
            self._finish(outcome)

    def _supervise(self, processes: ProcessGroup) -> Outcome | None:
        """Return how the attempt ended; `None` if another attempt owns the job now."""
        try:
            faultpoint("spawned")
            return self._watch(processes)
        except StaleFence:
            _log.warning("attempt_superseded")
            self.worker.heartbeat.counters.count_attempt("superseded")
            return None
        except Exception as error:  # a message that cannot be recorded: the job must not wait for its lease to expire
            _log.exception("attempt_not_recorded")
            self._backlog.clear()
            detail = f"a message of the attempt could not be recorded: {type(error).__name__}"
            return _lost_outcome("not_recorded", detail)
        finally:
            processes.close()

    def _watch(self, processes: ProcessGroup) -> Outcome:
        """Record messages until the attempt ends. Raises `StaleFence` if another attempt owns the job."""
        while True:
            message = self._next_message(processes)
            if isinstance(message, Outcome):
                return message
            if isinstance(message, JobMessage):
                self._backlog.append(message)
            elif message is not None:
                raise TypeError(f"an attempt does not send {type(message).__name__}")
            while self._write() and time.monotonic() < self._kill_at:
                self._poll_requests(processes)
            self._poll_requests(processes)
            if time.monotonic() >= self._kill_at:
                processes.kill()
                return self._killed_outcome()

    def _next_message(self, processes: ProcessGroup) -> Message | None:
        """Return the next message, `None` if there is none yet, or a loss if the process died without an Outcome."""
        if len(self._backlog) >= MAX_BACKLOG:
            time.sleep(ATTEMPT_POLL_SECONDS)
            return None
        wait = min(ATTEMPT_POLL_SECONDS, self.worker.settings.lease_seconds / 4)
        try:
            return receive(processes.pipe) if processes.pipe.poll(wait) else None
        except (EOFError, OSError):
            exit_code = processes.join(timeout=1)
            if self._sent_verb in ("cancel", "drain"):
                return self._killed_outcome()
            return _lost_outcome("runner_died", f"the training process ended with exit code {exit_code}")

    def _write(self) -> bool:
        """Write the oldest message of the backlog; returns whether one was written.

        While the database is away the messages wait.
        """
        if not self._backlog:
            return False
        with suppress(Unavailable):
            message = self._backlog[0]
            before, after = WRITE_FAULTPOINTS[type(message)]
            faultpoint(before)
            self.worker.db.run(record, self._fences[message.job_id], message, self.worker.settings)
            self._backlog.popleft()
            faultpoint(after)
            if isinstance(message, SavedCheckpoint):
                self.worker.heartbeat.counters.count_checkpoint(message)
                fence = self._fences[message.job_id]
                superseded_checkpoints.prune(self.worker.db, self.worker.store, message.job_id, fence)
            return True
        return False

    def _poll_requests(self, processes: ProcessGroup) -> None:
        """Renew the lease, and send the command that the user or the worker requests."""
        clock = time.monotonic()
        if clock < self._poll_at:
            return
        self._poll_at = clock + ATTEMPT_POLL_SECONDS
        requested: str | None = None
        with suppress(Unavailable):
            if clock >= self._renew_at:
                requested = self._renew()
            else:
                requested = self.worker.db.run(repository.requested_verb, self.job.id, self.fence)
        if requested == "cancel" or time.time() > self._deadline:
            self._send_command(processes, "cancel", CANCEL_TIMEOUT_SECONDS)
        elif self.worker.draining.is_set():
            self._send_command(processes, "drain", self.worker.settings.drain_seconds)
        elif requested == "pause":
            self._send_command(processes, "pause", float("inf"))

    def _renew(self) -> str | None:
        """Extend the lease; returns the verb that the user requests."""
        lease = self.worker.settings.lease_seconds
        requested = self.worker.db.run(repository.renew_lease, self.job.id, self.fence, lease)
        self._renew_at = time.monotonic() + lease / 3
        faultpoint("lease_renewed")
        return requested

    def _send_command(self, processes: ProcessGroup, verb: CommandVerb, timeout: float) -> None:
        """Send a command once; an attempt that has not ended after `timeout` seconds is killed."""
        if self._sent_verb == verb:
            return
        if verb == "cancel":
            faultpoint("cancel_seen")
        self._sent_verb = verb
        self._kill_at = time.monotonic() + timeout
        with suppress(OSError):
            send(processes.pipe, Command(verb))

    def _killed_outcome(self) -> Outcome:
        return Outcome(Ending.CANCELLED if self._sent_verb == "cancel" else Ending.RELEASED)

    def _finish(self, outcome: Outcome) -> None:
        """Record the outcome, however long the database is away, unless another attempt owns the job by then."""
        if outcome.ending is Ending.CANCELLED and time.time() > self._deadline:
            message = f"the job ran longer than max_seconds ({self.job.max_seconds:g})"
            error = {"code": "time_limit", "message": message, "pointer": "/max_seconds", "retryable": False}
            outcome = Outcome(Ending.FAILED, error=error)
        self._backlog.append(replace(outcome, job_id=self.job.id))
        try:
            self._flush_backlog()
        except StaleFence:
            _log.warning("outcome_refused", ending=outcome.ending)
            return
        _log.info("attempt_ended", ending=outcome.ending, error=outcome.error)
        self.worker.heartbeat.counters.count_outcome(outcome)
        with suppress(Unavailable):
            orphans.remove_job_orphans(self.worker.db, self.worker.store, self.job.id, self.fence)
        if outcome.ending in (Ending.LOST, Ending.RELEASED, Ending.PAUSED):  # a request to pause may be taken back
            self.worker.waker.wake(self.job.queue)

    def _flush_backlog(self) -> None:
        """Write the backlog; a worker that must stop waits for the database no longer than its drain time.

        What is then lost is recovered: the lease expires and the job resumes from its checkpoint.
        """
        remaining = self.worker.settings.drain_seconds
        while self._backlog and remaining > 0:
            if time.monotonic() >= self._renew_at:  # after an outage there may be much to write
                with suppress(Unavailable):
                    self._renew()
            if not self._write():
                time.sleep(ATTEMPT_POLL_SECONDS)
                remaining -= ATTEMPT_POLL_SECONDS if self.worker.draining.is_set() else 0


def _lost_outcome(code: str, message: str) -> Outcome:
    return Outcome(Ending.LOST, error={"code": code, "message": message, "pointer": "", "retryable": True})
