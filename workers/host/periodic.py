"""Tells how the worker does, and heals what was lost: wake-ups, expired leases, old answers; all of it guarded.

Every round begins with a sign of life, which so tells that healing goes on, too.
"""

import os
import random
import signal
import threading
import time

import structlog

from app import heartbeat
from app.errors import DatabaseUnavailable, GraftwerkError, ServiceOverloaded, StaleFence
from app.jobs import queue, repository, service
from app.lifecycle import expiry, orphans
from workers.host.worker import Worker
from workers.protocol.messages import Ending

PURGE_INTERVAL_SECONDS = 60.0
ORPHAN_SCAN_INTERVAL_SECONDS = 6 * 3600.0
FORCED_EXIT_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class PeriodicRunner:
    """A thread that makes a round every `sweep_seconds`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._stop = threading.Event()
        # After an outage of the database, or of everything, nobody could renew: wait one lease time.
        self._trust_leases_at = time.monotonic() + worker.settings.lease_seconds
        self._purge_at = 0.0
        self._orphan_scan_at = (
            time.monotonic() + random.uniform(0.05, 1.0) * ORPHAN_SCAN_INTERVAL_SECONDS
        )  # not all workers at once
        self._reported_stale: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current round."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(self._worker.settings.sweep_seconds):
            for part in (self.send_heartbeat, self.run_once):
                try:
                    part()
                except DatabaseUnavailable:
                    self._trust_leases_at = time.monotonic() + self._worker.settings.lease_seconds
                    _log.warning("database_away")
                except Exception:  # a fault in one round must not end healing for good
                    _log.exception("sweep_failed", part=part.__name__)

    def run_once(self) -> None:
        """Make one round."""
        clock = time.monotonic()
        if clock >= self._trust_leases_at:
            self._requeue_expired()
        if self._worker.db.read(queue.has_claimable_job, self._worker.queues, self._worker.settings.limit_running_jobs):
            self._worker.fill_free_slots()
        if clock >= self._purge_at:
            expiry.remove_expired(self._worker.db, self._worker.store, self._worker.settings)
            self._purge_at = clock + PURGE_INTERVAL_SECONDS
        if clock >= self._orphan_scan_at:
            self._orphan_scan_at = clock + ORPHAN_SCAN_INTERVAL_SECONDS
            threading.Thread(target=self._scan_orphans, name="survey", daemon=True).start()  # leases do not wait for it

    def _scan_orphans(self) -> None:
        try:
            orphans.remove_orphans(self._worker.db, self._worker.store)
        except (GraftwerkError, OSError) as error:
            _log.warning("survey_failed", error=str(error))

    def send_heartbeat(self) -> None:
        """Tell that the worker lives, and notice those that do not: itself, if it is deaf, and others."""
        worker = self._worker
        deaf = worker.heartbeat.send(worker.free_slots, draining=worker.draining.is_set())
        if deaf > worker.settings.deaf_seconds and not worker.draining.is_set():
            self._exit_unresponsive(deaf)
        silent = set(worker.db.read(heartbeat.stale_workers))
        for name in silent - self._reported_stale:
            _log.warning("worker_silent", name=name)
        self._reported_stale = silent

    def _exit_unresponsive(self, seconds: float) -> None:
        """Stop in order, or else at once: whatever started the worker starts a new one, which listens."""
        _log.error("worker_deaf", seconds=round(seconds, 1))
        self._worker.draining.set()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._worker.settings.drain_seconds + FORCED_EXIT_SECONDS)
        os._exit(os.EX_TEMPFAIL)  # the thread that listens hangs and has not heard the signal

    def _requeue_expired(self) -> None:
        db, settings = self._worker.db, self._worker.settings
        error = {"code": "worker_lost", "message": "the worker stopped renewing its lease", "pointer": ""}
        for job_id, fence in db.run(repository.expired_leases):
            try:
                waits = db.run(service.record_loss, job_id, fence, error, settings.max_attempts)
            except StaleFence:
                continue  # another sweeper was faster, or the attempt ended after all
            except ServiceOverloaded:
                continue  # its worker stopped in the middle of a write; the others' jobs do not wait for that
            _log.warning("lease_expired", job_id=job_id, fence=fence, requeued=waits)
            self._worker.heartbeat.counters.count_attempt(Ending.LOST, error["code"])
