"""Several programs kept running together, and stopped in order."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from graftwerk.supervise.process import Process

TICK = 0.05  # seconds between two looks at the programs
FIRST_BACKOFF = 0.2
LONGEST_BACKOFF = 15.0
HEALTHY_AFTER = 30.0  # a program that ran so long is restarted at once


@dataclass(slots=True)
class _Restarts:
    """How often a program died in a row, and when it is started again."""

    deaths: int = 0
    due: float | None = None

    def pause(self) -> float:
        """Return the seconds until the next start."""
        doublings = min(self.deaths, 32)  # a program may die for days
        return 0.0 if self.deaths == 1 else min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**doublings)


class Supervisor:
    """Starts programs, restarts what dies, and stops all in the reverse of the order in which they were started.

    Everything happens in the caller's thread, which must be the main one.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._processes: list[Process] = []
        self._restarts: dict[str, _Restarts] = {}
        self.signals = 0

    @contextmanager
    def hearing_signals(self) -> Iterator[None]:
        """Count SIGINT, SIGTERM and SIGHUP instead of dying of them: one means stop, two mean at once."""

        def hear(number: int, frame: FrameType | None) -> None:
            self.signals += 1

        before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def add(self, process: Process) -> None:
        """Start a program and keep it running from now on."""
        process.start()
        self._processes.append(process)
        self._restarts[process.program.name] = _Restarts()

    def wait_until(self, condition: Callable[[], bool], seconds: float, needed: Process | None = None) -> bool:
        """Return whether the condition came true in time; false at once if we are to stop or `needed` has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.signals:
            if condition():
                return True
            if needed is not None and not needed.running:
                return False
            time.sleep(TICK)
        return False

    def run(self) -> None:
        """Restart what dies, until a signal comes."""
        while not self.signals:
            self.heal()
            time.sleep(TICK)

    def heal(self) -> None:
        """Look at every program once: note deaths, and start again what is due."""
        now = time.monotonic()
        for process in self._processes:
            restarts = self._restarts[process.program.name]
            if process.running:
                continue
            if restarts.due is None:
                restarts.deaths = 1 if now - process.started > HEALTHY_AFTER else restarts.deaths + 1
                pause = restarts.pause()
                restarts.due = now + pause
                self._tell(f"{process.program.name} ended ({_status(process)}); starting it again in {pause:g} s")
            if now >= restarts.due:
                process.kill()  # what it may have left behind
                process.start()
                restarts.due = None

    def stop(self) -> bool:
        """Stop the programs one after the other; returns whether all ended within their grace."""
        in_time = [self._stop_one(process) for process in reversed(self._processes)]
        return all(in_time)

    def _stop_one(self, process: Process) -> bool:
        """Return whether the program ended by itself. A second signal cuts the grace short."""
        deadline = time.monotonic() + process.program.grace
        process.ask_to_stop()
        while process.running and time.monotonic() < deadline and self.signals < 2:
            time.sleep(TICK)
        late = process.running
        if late:
            self._tell(f"{process.program.name} did not end in time and is killed")
        process.kill()
        return not late


def _status(process: Process) -> str:
    status = process.exit_status
    if status is not None and status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
