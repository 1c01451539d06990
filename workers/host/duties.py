"""What every worker does periodically: its heartbeat, and the recovery of what was lost.

A new duty is one row of `duties`.
"""

import os
import signal
import time
from functools import partial
from pathlib import Path

import structlog

from app import heartbeat
from app.db.clock import start_clock
from app.db.dialect import DatabaseFull
from app.disk.spool import remove_abandoned
from app.errors import DatabaseUnavailable, GraftwerkError, ServiceOverloaded, StaleFence
from app.jobs import queue, repository, service
from app.lifecycle import expiry, orphans
from workers.host.leases import LeaseObserver
from workers.host.periodic import Duty
from workers.host.worker import Worker
from workers.protocol.messages import Ending

CLOCK_INTERVAL_SECONDS = 60.0
EXPIRY_INTERVAL_SECONDS = 60.0
ORPHAN_SCAN_INTERVAL_SECONDS = 6 * 3600.0
EACH_ROUND = 0.0  # seconds: with every round of the shared thread
FORCED_EXIT_SECONDS = 5.0

_log = structlog.get_logger(__name__)


def duties(worker: Worker) -> tuple[Duty, ...]:
    """Return the table of duties. The heartbeat comes first: it shows that the others are under way, too."""
    leases, monitor = LeaseRecovery(worker), LivenessMonitor(worker)
    db, store, settings = worker.db, worker.store, worker.settings
    scan = ORPHAN_SCAN_INTERVAL_SECONDS
    return (
        Duty("heartbeat", EACH_ROUND, monitor.send_heartbeat, leases.handle_failure),
        Duty("clock", CLOCK_INTERVAL_SECONDS, partial(start_clock, db), leases.handle_failure),
        Duty("expired leases", EACH_ROUND, leases.requeue_expired, leases.handle_failure),
        Duty("waiting jobs", EACH_ROUND, partial(claim_waiting_jobs, worker), leases.handle_failure),
        Duty(
            "expired rows",
            EXPIRY_INTERVAL_SECONDS,
            partial(expiry.remove_expired, db, store, settings),
            leases.handle_failure,
        ),
        Duty(
            "abandoned files",
            EXPIRY_INTERVAL_SECONDS,
            partial(remove_abandoned_files, settings.resolved_spool),
            log_scan_failure,
            own_thread=True,  # checkpoints of a large network take their time
        ),
        Duty(
            "orphans", scan, partial(orphans.remove_orphans, db, store), log_scan_failure, own_thread=True, jitter=scan
        ),
    )


def claim_waiting_jobs(worker: Worker) -> None:
    """Fill free slots if a job is waiting whose wake-up was lost."""
    if worker.db.read(queue.has_claimable_job, worker.queues, worker.settings.limit_running_jobs, worker.devices):
        worker.fill_free_slots()


def remove_abandoned_files(spool: Path) -> None:
    """Remove temporary files of processes that are no more, of APIs and workers alike."""
    removed = remove_abandoned(spool)
    if removed:
        _log.info("temporary_files_removed", folders=removed)


class LeaseRecovery:
    """Takes jobs back from attempts whose lease has expired."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._observer = LeaseObserver(worker.settings.lease_seconds)

    def handle_failure(self, duty: str, error: Exception) -> None:
        """Log a duty's failure; leases are watched anew if the database is away: nobody can renew one."""
        if isinstance(error, DatabaseUnavailable):
            self._observer.forget()
            if isinstance(error, DatabaseFull):
                _log.warning("database_full")
            else:
                _log.warning("database_away")
        else:
            _log.error("sweep_failed", part=duty, exc_info=error)

    def requeue_expired(self) -> None:
        """Record the loss of every attempt whose lease has expired.

        The leases are read in a transaction that could write: where that is impossible, nobody can renew one either.
        """
        db, settings = self._worker.db, self._worker.settings
        error = {"code": "worker_lost", "message": "the worker stopped renewing its lease", "pointer": ""}
        for lease in self._observer.expired(db.run(repository.running_leases)):
            job_id, fence = lease.job_id, lease.fence
            try:
                requeued = db.run(service.record_loss, job_id, fence, error, settings.max_attempts)
            except StaleFence:
                continue  # another worker was faster, or the attempt has ended after all
            except ServiceOverloaded:
                continue  # its worker stopped in the middle of a write; the others' jobs do not wait for that
            _log.warning("lease_expired", job_id=job_id, fence=fence, requeued=requeued)
            self._worker.heartbeat.counters.count_attempt(Ending.LOST, error["code"])


class LivenessMonitor:
    """Sends the worker's heartbeat, logs other workers that send none, and ends a worker that receives no wake-ups."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._reported: set[str] = set()

    def send_heartbeat(self) -> None:
        """Send a heartbeat; end the process if it receives no wake-ups; log workers that have become silent."""
        worker = self._worker
        deaf = worker.heartbeat.send(worker.free_slots, draining=worker.draining.is_set())
        if deaf > worker.settings.deaf_seconds and not worker.draining.is_set():
            self._exit_unresponsive(deaf)
        stale = set(worker.db.read(heartbeat.stale_workers))
        for name in stale - self._reported:
            _log.warning("worker_silent", name=name)
        self._reported = stale

    def _exit_unresponsive(self, seconds: float) -> None:
        """Stop in order, or else at once: whatever started the worker starts a new one, which receives wake-ups."""
        _log.error("worker_deaf", seconds=round(seconds, 1))
        self._worker.draining.set()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._worker.settings.drain_seconds + FORCED_EXIT_SECONDS)
        os._exit(os.EX_TEMPFAIL)  # the consumer's thread hangs and has not handled the signal


def log_scan_failure(duty: str, error: Exception) -> None:
    """Log that a scan for orphans failed."""
    if isinstance(error, GraftwerkError | OSError):
        _log.warning("survey_failed", error=str(error))
    else:
        _log.error("sweep_failed", part=duty, exc_info=error)
