"""Runs a table of periodic duties: several in one thread, in the table's order, and some in threads of their own."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from app.errors import DatabaseUnavailable
from app.periodic import Periodic

FailureHandler = Callable[[str, Exception], object]  # with the duty's name

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Duty:
    """One row of the table."""

    name: str
    interval: float  # seconds
    action: Callable[[], object]
    on_failure: FailureHandler  # the action is run again, in the next round or after its interval
    own_thread: bool = False  # for what may take long
    jitter: float = 0.0  # seconds: the first run waits for a random part of them, so that not all workers begin at once


class PeriodicRunner:
    """Runs duties. Those that share a thread are looked at every `round_seconds`, and run if their interval is over.

    The first round begins at once: the sooner leases are watched, the sooner a lost one is noticed.
    """

    def __init__(self, duties: Sequence[Duty], round_seconds: float) -> None:
        self._next_runs = {duty: time.monotonic() + _first_delay(duty) for duty in duties if not duty.own_thread}
        self._rounds = Periodic("duties", round_seconds, self.run_round, _log_failure, delay=0.0)
        self._threads = [
            Periodic(duty.name, duty.interval, duty.action, partial(duty.on_failure, duty.name), _first_delay(duty))
            for duty in duties
            if duty.own_thread
        ]

    def start(self) -> None:
        """Begin."""
        for thread in (self._rounds, *self._threads):
            thread.start()

    def stop(self) -> None:
        """End after the current round; nobody waits for a duty with a thread of its own."""
        for thread in self._threads:
            thread.stop(timeout=0)
        self._rounds.stop()

    def run_round(self) -> None:
        """Run every duty that shares the thread and is due. One that fails is due again in the next round."""
        for duty, next_run in self._next_runs.items():
            if time.monotonic() < next_run:
                continue
            try:
                duty.action()
            except Exception as error:  # a fault in one duty must not end the others
                duty.on_failure(duty.name, error)
                if isinstance(error, DatabaseUnavailable):
                    return  # the other duties of the round need the database, too
            else:
                self._next_runs[duty] = time.monotonic() + duty.interval


def _first_delay(duty: Duty) -> float:
    return random.uniform(0.05, 1.0) * duty.jitter


def _log_failure(error: Exception) -> None:
    _log.error("sweep_failed", part="duties", exc_info=error)
