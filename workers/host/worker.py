"""The worker: its slots, and the jobs that it claims for them."""

import os
import socket
import threading
import time
from contextlib import suppress

from app.db.session import Database
from app.db.tables import JobRow
from app.disk.spool import Spool
from app.errors import Unavailable
from app.jobs import repository
from app.jobs.dispatch import Waker
from app.settings import Settings
from app.storage.protocol import ArtifactStore
from workers.host.attempt import CANCEL_TIMEOUT_SECONDS, Attempt
from workers.host.heartbeat import Heartbeat
from workers.host.slots import SlotPool


def worker_name() -> str:
    """Return the name of this process in logs, rows and metrics."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Worker:
    """What all slots of a worker process share. Jobs that need another device than `devices` are left to others."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        store: ArtifactStore,
        waker: Waker,
        queues: list[str],
        devices: tuple[str, ...] | None = None,
        spool: Spool | None = None,
    ) -> None:
        self.settings = settings
        self.db = db
        self.store = store
        self.waker = waker
        self.queues, self.devices = queues, devices
        self.name = worker_name()
        self.heartbeat = Heartbeat(self.name, settings, db, waker, queues, devices)
        self.spool = spool or Spool(settings.resolved_spool, "worker")
        self.draining = threading.Event()
        self._slots = SlotPool(settings.resolved_slots, settings.gpus)
        self._slot_threads: list[threading.Thread] = []

    def run_waiting_jobs(self) -> None:
        """Claim and run jobs in a free slot, if there is one, until no job is waiting."""
        slots = self._slots.acquire()
        if slots is None:
            return  # whoever is in the last slot looks for more work after its job
        try:
            while not self.draining.is_set() and (job := self._claim()) is not None:
                Attempt(self, job, tuple(gpu for slot in slots for gpu in slot)).run()
        finally:
            self._slots.release(slots)

    def _claim(self) -> JobRow | None:
        with suppress(Unavailable):  # a periodic duty looks for work when the database is back
            lease, running_limit = self.settings.lease_seconds, self.settings.limit_running_jobs
            return self.db.run(repository.claim, self.queues, self.name, lease, running_limit, self.devices)
        return None

    def fill_free_slots(self) -> None:
        """Let every free slot look for work without a wake-up: an unreachable broker only delays jobs."""
        self._slot_threads = [thread for thread in self._slot_threads if thread.is_alive()]
        for _ in range(self._slots.free):
            thread = threading.Thread(target=self.run_waiting_jobs, name="slot", daemon=True)
            self._slot_threads.append(thread)
            thread.start()

    @property
    def free_slots(self) -> int:
        """The number of free slots."""
        return self._slots.free

    def close(self) -> None:
        """Drain: every attempt saves a checkpoint and gives its job back. Returns when all slots are free."""
        self.draining.set()
        deadline = time.monotonic() + self.settings.drain_seconds + CANCEL_TIMEOUT_SECONDS
        for thread in self._slot_threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        with suppress(Unavailable):
            self.heartbeat.stop()
        self.spool.close()
        self.db.close()
