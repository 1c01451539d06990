"""One attempt at a job, from its claim to its recorded outcome. All rows of an attempt are written here."""

import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import chain
from typing import Protocol

import structlog

from app.db.session import Database
from app.db.tables import JobRow
from app.disk.spool import Spool
from app.errors import NotFound, StaleFence, StorageFull, Unavailable
from app.faultpoints import faultpoint
from app.jobs import repository
from app.jobs.dispatch import Waker
from app.jobs.repository import AttemptRequests
from app.lifecycle import orphans, superseded_checkpoints
from app.logs import bind
from app.settings import Settings
from app.storage.protocol import ArtifactStore
from workers.host.assignments import EditSender, build_assignment
from workers.host.heartbeat import Heartbeat
from workers.host.persist import MAX_REPORTS, next_batch, record_all
from workers.protocol.messages import (
    EditApplied,
    EditRejected,
    EditWithdrawn,
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
from workers.runner.commands import CommandSender
from workers.runner.memory import MemoryWatch, attempt_memory
from workers.runner.outcomes import (
    StepCounter,
    explain,
    kernel_kill_outcome,
    lost_outcome,
    out_of_memory_outcome,
    time_limit_outcome,
)
from workers.runner.process_group import ProcessGroup

CANCEL_TIMEOUT_SECONDS = 2.0  # a cancelled attempt that has not ended by then is killed
ATTEMPT_POLL_SECONDS = 0.5  # how often the user's request and the clock are looked at
MAX_BACKLOG = 10_000  # messages kept while the database is away; beyond that the attempt waits on its pipe
WRITE_FAULTPOINTS: dict[type[JobMessage], tuple[str, str]] = {  # before and after a message is written
    ProgressReport: ("before_chunk", "chunk_committed"),
    SavedCheckpoint: ("before_row", "row_committed"),
    EditApplied: ("edit_applied", "edit_recorded"),
    EditRejected: ("edit_rejected", "edit_recorded"),
    EditWithdrawn: ("edit_withdrawn", "edit_recorded"),
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
        settings = worker.settings
        self._commands = CommandSender(
            {"cancel": CANCEL_TIMEOUT_SECONDS, "drain": settings.drain_seconds, "pause": settings.pause_seconds}
        )
        self._memory = MemoryWatch(attempt_memory(settings.attempt_memory, settings.resolved_slots))
        began = time.monotonic()
        self._renew_at = began + settings.lease_seconds / 3  # the claim has just given a whole lease
        self._poll_at = began + ATTEMPT_POLL_SECONDS
        self._deadline = _deadline(job, settings.lease_seconds)
        self._steps = StepCounter()
        self._edits = EditSender(worker.db, job.id, job.edit_changes)

    def run(self) -> None:
        """Train the job in a child process and record how it ended."""
        with bind(job_id=self.job.id, fence=self.fence), self.worker.heartbeat.report_memory(self.job.id, self._memory):
            self._run()

    def _run(self) -> None:
        _log.info("attempt_started")
        faultpoint("claimed")
        try:
            assignment = self.worker.db.read(build_assignment, self.job, self.worker.settings, self._gpus)
        except NotFound as error:
            missing = {"code": "ground_gone", "message": error.detail, "pointer": "", "retryable": False}
            self._finish(Outcome(Ending.FAILED, error=missing))
            return
        except Unavailable as error:
            self._finish(lost_outcome("assignment_failed", error.detail))
            return
        self._edits.assign(assignment.edits)
        with ExitStack() as stack:
            try:
                # The worker removes the folder: a killed attempt removes nothing.
                folder = stack.enter_context(self.worker.spool.folder("attempt"))
                processes = forkserver.start(assignment, str(folder))
                stack.callback(processes.close)
            except (EOFError, OSError, StorageFull) as error:
                self._finish(lost_outcome("spawn_failed", f"no process could be started: {error}"))
                return
            outcome = self._supervise(processes)
            if outcome is not None and outcome.ending is Ending.SUCCEEDED:
                self._finish(outcome)  # while its process, which has nothing left to do, ends
                return
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
            return lost_outcome("not_recorded", detail)

    def _watch(self, processes: ProcessGroup) -> Outcome:
        """Record messages until the attempt ends. Raises `StaleFence` if another attempt owns the job."""
        while True:
            for message in chain([self._next_message(processes)], processes.messages(MAX_REPORTS - len(self._backlog))):
                if isinstance(message, Outcome):
                    return explain(message, self._memory)
                if isinstance(message, JobMessage):
                    self._backlog.append(message)
                elif message is not None:
                    raise TypeError(f"an attempt does not send {type(message).__name__}")
            while self._write() and not self._commands.is_overdue:
                self._poll_requests(processes)
            self._poll_requests(processes)
            if self._commands.is_overdue:
                return self._kill(processes)
            if self._memory.is_exceeded(processes.reporter.pid or 0):
                processes.kill()
                return out_of_memory_outcome("the attempt was ended for its use of memory", self._memory)

    def _next_message(self, processes: ProcessGroup) -> Message | None:
        """Return the next message, `None` if there is none yet, or a loss if the process died without an Outcome."""
        if len(self._backlog) >= MAX_BACKLOG:
            time.sleep(ATTEMPT_POLL_SECONDS)
            return None
        wait = max(0.0, min(self._poll_at - time.monotonic(), self.worker.settings.lease_seconds / 4))
        try:
            return receive(processes.pipe) if processes.pipe.poll(wait) else None
        except (EOFError, OSError):
            exit_code = processes.join(timeout=1)
            if self._commands.verb in ("cancel", "drain"):
                return Outcome(self._commands.killed_ending)
            if self._memory.has_kernel_killed():
                return kernel_kill_outcome(self._memory)
            return lost_outcome("runner_died", f"the training process ended with exit code {exit_code}")

    def _write(self) -> bool:
        """Write the oldest message of the backlog, and with a report the reports after it; returns whether any was.

        While the database is away the messages wait.
        """
        messages = next_batch(self._backlog)
        if not messages:
            return False
        with suppress(Unavailable):
            before, after = WRITE_FAULTPOINTS[type(messages[0])]
            for _ in messages:
                faultpoint(before)
            self.worker.db.run(record_all, self._fences, messages, self.worker.settings)
            for message in messages:
                self._backlog.popleft()
                faultpoint(after)
                self._steps.add(message)
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
                requests = self._renew()
            else:
                requests = self.worker.db.read(repository.find_requests, self.job.id, self.fence)
            requested = requests.verb
            self._edits.poll(requests.edit_changes, lambda command: send(processes.pipe, command))
        if requested == "cancel" or clock > self._deadline:
            if self._commands.verb != "cancel":
                faultpoint("cancel_seen")
            self._commands.send(processes, "cancel")
        elif self.worker.draining.is_set():
            self._commands.send(processes, "drain")
        elif requested == "pause":
            self._commands.send(processes, "pause")

    def _renew(self) -> AttemptRequests:
        """Extend the lease; returns what the user requests."""
        lease = self.worker.settings.lease_seconds
        requested = self.worker.db.run(repository.renew_lease, self.job.id, self.fence, lease)
        self._renew_at = time.monotonic() + lease / 3
        faultpoint("lease_renewed")
        return requested

    def _kill(self, processes: ProcessGroup) -> Outcome:
        """Kill an attempt that does not obey; what it has sent before is still recorded."""
        processes.kill()
        for message in processes.messages():
            if isinstance(message, Outcome):
                return message
            if isinstance(message, JobMessage):
                self._backlog.append(message)
        outcome = Outcome(self._commands.killed_ending)
        if outcome.ending is not Ending.CANCELLED:
            while self._write():
                pass
            warning = self._steps.kill_warning(self._commands.grace)
            self._backlog.append(replace(warning, job_id=self.job.id))
        return outcome

    def _finish(self, outcome: Outcome) -> None:
        """Record the outcome, however long the database is away, unless another attempt owns the job by then."""
        if outcome.ending is Ending.CANCELLED and time.monotonic() > self._deadline:
            outcome = time_limit_outcome(self.job.max_seconds or 0.0)
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


def _deadline(job: JobRow, lease_seconds: float) -> float:
    """Return when the job's `max_seconds` are over, by this process's monotonic clock.

    What has passed before this attempt is counted by the database's clock.
    """
    if not job.max_seconds:
        return float("inf")
    claimed_at = (job.lease_until or 0.0) - lease_seconds
    return time.monotonic() + job.max_seconds - max(0.0, claimed_at - (job.started_at or claimed_at))
