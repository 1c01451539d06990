"""Tells that the worker lives, and heals what was lost: wake-ups, expired leases, old answers; all of it guarded."""

import random
import threading
import time
from contextlib import suppress

import structlog

from app import fleet, idempotency
from app.errors import DatabaseAway, GraftwerkError, Overloaded, StaleFence, Unavailable
from app.jobs import queue, repository, service
from workers import garbage
from workers.supervisor import Worker

PURGE_SECONDS = 3600.0
SURVEY_SECONDS = 6 * 3600.0

_log = structlog.get_logger(__name__)


class Sweeper:
    """A thread that makes a round every `sweep_seconds`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._stop = threading.Event()
        # After an outage of the database, or of everything, nobody could renew: wait one lease time.
        self._trust_leases_at = time.monotonic() + worker.settings.lease_seconds
        self._tell_at = 0.0
        self._purge_at = 0.0
        self._survey_at = time.monotonic() + random.uniform(0.05, 1.0) * SURVEY_SECONDS  # not all workers at once
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current round."""
        self._stop.set()
        self._thread.join(timeout=5)
        with suppress(Unavailable):
            self._worker.db.run(fleet.leave, self._worker.name)

    def _run(self) -> None:
        while not self._stop.wait(self._worker.settings.sweep_seconds):
            try:
                self.sweep()
            except DatabaseAway:
                self._trust_leases_at = time.monotonic() + self._worker.settings.lease_seconds
                _log.warning("database_away")
            except Exception:  # a fault in one round must not end healing for good
                _log.exception("sweep_failed")

    def sweep(self) -> None:
        """Make one round."""
        clock = time.monotonic()
        if clock >= self._tell_at:
            slots = 0 if self._worker.draining.is_set() else self._worker.settings.resolved_slots
            self._worker.db.run(fleet.tell, self._worker.name, self._worker.queues, slots)
            self._tell_at = clock + fleet.TELL_SECONDS
        if clock >= self._trust_leases_at:
            self._expire()
        if self._worker.db.read(queue.waiting, self._worker.queues, self._worker.settings.limit_running_jobs):
            self._worker.assist()
        if clock >= self._purge_at:
            self._worker.db.run(idempotency.purge)
            self._purge_at = clock + PURGE_SECONDS
        if clock >= self._survey_at:
            self._survey_at = clock + SURVEY_SECONDS
            threading.Thread(target=self._survey, name="survey", daemon=True).start()  # leases do not wait for it

    def _survey(self) -> None:
        try:
            garbage.survey(self._worker.db, self._worker.store)
        except (GraftwerkError, OSError) as error:
            _log.warning("survey_failed", error=str(error))

    def _expire(self) -> None:
        db, settings = self._worker.db, self._worker.settings
        error = {"code": "worker_lost", "message": "the worker stopped renewing its lease", "pointer": ""}
        for job_id, fence in db.run(repository.expired):
            try:
                waits = db.run(service.lose, job_id, fence, error, settings.max_attempts)
            except StaleFence:
                continue  # another sweeper was faster, or the attempt ended after all
            except Overloaded:
                continue  # its worker stopped in the middle of a write; the others' jobs do not wait for that
            _log.warning("lease_expired", job_id=job_id, fence=fence, requeued=waits)
