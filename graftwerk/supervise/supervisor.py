"""Programs that are kept running together, and stopped in order."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from graftwerk.supervise.process import Process

POLL_SECONDS = 0.05  # between two checks of the programs
INITIAL_BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 15.0
HEALTHY_SECONDS = 30.0  # a program that ran so long is restarted at once


@dataclass(slots=True)
class _RestartState:
    """Consecutive deaths of a program, and when it is restarted."""

    deaths: int = 0
    restart_at: float | None = None

    def backoff(self) -> float:
        """Return the seconds until the next start."""
        doublings = min(self.deaths, 32)  # a program may die for days
        return 0.0 if self.deaths == 1 else min(MAX_BACKOFF_SECONDS, INITIAL_BACKOFF_SECONDS * 2**doublings)


class Supervisor:
    """Starts programs, restarts those that die, and stops all in reverse order of their start.

    Everything happens in the caller's thread, which must be the main one. `log` is called with each message.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._processes: list[Process] = []
        self._restarts: dict[str, _RestartState] = {}
        self.signals = 0
        self.requests = 0  # signals SIGUSR1

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Count signals instead of dying of them.

        One of SIGINT, SIGTERM and SIGHUP means stop, two mean stop at once; SIGUSR1 is a request to `run`.
        """

        def count(number: int, frame: FrameType | None) -> None:
            self.signals += 1

        def count_request(number: int, frame: FrameType | None) -> None:
            self.requests += 1

        before = {number: signal.signal(number, count) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, count_request)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def add(self, process: Process) -> None:
        """Start a program and keep it running from now on."""
        process.start()
        self._processes.append(process)
        self._restarts[process.program.name] = _RestartState()

    def wait_until(self, condition: Callable[[], bool], seconds: float, needed: Process | None = None) -> bool:
        """Return whether the condition became true in time; false at once after a signal, or if `needed` has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.signals:
            if condition():
                return True
            if needed is not None and not needed.is_running:
                return False
            time.sleep(POLL_SECONDS)
        return False

    def run(self, on_request: Callable[[], None] = lambda: None) -> None:
        """Restart programs that die, until a signal to stop arrives. `on_request` is called after SIGUSR1."""
        answered = self.requests
        while not self.signals:
            if self.requests > answered:
                answered = self.requests
                on_request()
            self.restart_due()
            time.sleep(POLL_SECONDS)

    def restart_due(self) -> None:
        """Check every program once: record deaths, and restart what is due."""
        now = time.monotonic()
        for process in self._processes:
            restarts = self._restarts[process.program.name]
            if process.is_running:
                continue
            if restarts.restart_at is None:
                restarts.deaths = 1 if now - process.started > HEALTHY_SECONDS else restarts.deaths + 1
                pause = restarts.backoff()
                restarts.restart_at = now + pause
                self._log(f"{process.program.name} ended ({_describe_exit(process)}); starting it again in {pause:g} s")
            if now >= restarts.restart_at:
                process.kill()  # children that it may have left
                process.start()
                restarts.restart_at = None

    def stop(self) -> bool:
        """Stop the programs one by one; return whether all ended within their grace."""
        in_time = [self._stop_one(process) for process in reversed(self._processes)]
        return all(in_time)

    def _stop_one(self, process: Process) -> bool:
        """Return whether the program ended within its grace, which a second signal cuts short."""
        deadline = time.monotonic() + process.program.grace
        process.terminate()
        while process.is_running and time.monotonic() < deadline and self.signals < 2:
            time.sleep(POLL_SECONDS)
        late = process.is_running
        if late:
            self._log(f"{process.program.name} did not end in time and is killed")
        process.kill()
        return not late


def _describe_exit(process: Process) -> str:
    status = process.exit_status
    if status is not None and status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
