"""The side of a campaign that is inside the processes under test: counts the points passed, and strikes."""

import errno
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from app import faultpoints
from tests.faults.plan import FOLDER_VARIABLE, Fault, FaultFolder
from tests.faults.process_tree import attempts_of, worker_of

# What dies again and again is started again later and later; a campaign has no time for that.
KILL_BACKOFF_SECONDS = (0.0, 0.2, 0.5)
RESTART_SECONDS = 0.3


class FaultInjector:
    """Called at every point. What it has counted begins anew with every plan, and in every forked attempt."""

    def __init__(self, faults: FaultFolder) -> None:
        self._faults = faults
        self._version = 0
        self._number = 0
        self._strikes: list[Fault] = []
        self._passed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, point: str) -> None:
        with self._lock:
            if (version := self._faults.version()) != self._version:
                self._version = version
                self._number, self._strikes = self._faults.read()
                self._passed.clear()
            self._passed[point] += 1
            due = [
                (index, strike)
                for index, strike in enumerate(self._strikes)
                if strike.point == point and self._passed[point] >= strike.hit
            ]
        for index, strike in due:
            if self._faults.mark_fired(self._number, index, strike):
                ACTIONS[strike.action](strike)


def process_role() -> str:
    """Return which program this is: "up", "api", "worker", "forkserver" (and what is forked from it) or ""."""
    line = " ".join(sys.orig_argv)
    for name, words in (
        ("forkserver", "app.forkserver"),
        ("worker", "-m workers"),
        ("api", "-m app.api"),
        ("up", "-m graftwerk up"),
    ):
        if words in line:
            return name
    return ""


def worker_processes() -> tuple[psutil.Process | None, list[psutil.Process]]:
    """Return the worker that this process is or belongs to, and all its attempts."""
    me = psutil.Process()
    worker = me if process_role() == "worker" else worker_of(me)
    runners = [] if worker is None else attempts_of(worker)
    return worker, runners


def _kill(processes: list[psutil.Process]) -> None:
    for process in sorted(processes, key=lambda each: each.pid == os.getpid()):  # oneself last
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    if any(process.pid == os.getpid() for process in processes):
        time.sleep(10)  # not a line more


def _kill_runner(strike: Fault) -> None:
    _kill([psutil.Process()] if process_role() == "forkserver" else worker_processes()[1])


def _kill_worker(strike: Fault) -> None:
    worker, _ = worker_processes()
    _kill([worker] if worker is not None else [])


def _kill_both(strike: Fault) -> None:
    worker, runners = worker_processes()
    _kill(runners + ([worker] if worker is not None else []))


def _drain(strike: Fault) -> None:
    worker, _ = worker_processes()
    if worker is not None:
        worker.send_signal(signal.SIGTERM)


def _raise(strike: Fault) -> None:
    raise OSError(errno.EIO, f"a fault at {strike.point}")  # a RuntimeError would be torch's, and the job's own fault


def _raise_disk_full(strike: Fault) -> None:
    raise OSError(errno.ENOSPC, f"a fault at {strike.point}")


def _drop_connections(strike: Fault) -> None:
    """Cut every connection of the database; SQLite has none, so this one unit of work finds nobody."""
    from sqlalchemy import create_engine, text

    url = os.environ.get("GRAFTWERK_DATABASE_URL", "")
    if not url.startswith("postgresql"):
        from app.errors import DatabaseUnavailable

        raise DatabaseUnavailable
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()


_consumers: list[Any] = []


def _hang_consumer(strike: Fault) -> None:
    """Let the worker's consumer take no message any more, without a word."""
    for consumer in _consumers:
        consumer.task_consumer.cancel()


ACTIONS: dict[str, Callable[[Fault], None]] = {
    "kill_runner": _kill_runner,
    "kill_worker": _kill_worker,
    "kill_both": _kill_both,
    "kill_api": lambda strike: _kill([psutil.Process()]),
    "drain": _drain,
    "raise": _raise,
    "full": _raise_disk_full,
    "delay": lambda strike: time.sleep(strike.seconds),
    "drop": _drop_connections,
    "deafen": _hang_consumer,
}


def arm_process() -> None:
    """Arm this process."""
    me = process_role()
    if me == "up":
        from graftwerk.supervise import supervisor

        supervisor.MAX_BACKOFF_SECONDS = RESTART_SECONDS
        return
    if not me:
        return
    faultpoints.arm(FaultInjector(FaultFolder(Path(os.environ[FOLDER_VARIABLE]))))
    if me == "worker":
        from celery.signals import worker_ready

        from app.jobs import service

        service.BACKOFF_SECONDS = KILL_BACKOFF_SECONDS

        worker_ready.connect(lambda sender, **_: _consumers.append(sender), weak=False)
