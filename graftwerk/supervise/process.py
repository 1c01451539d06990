"""A supervised program: started, its output read, stopped with grace."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

PDEATHSIG_SCRIPT = Path(__file__).with_name("pdeathsig.py")
MAX_LINES = 40


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run."""

    name: str
    command: Sequence[str]
    grace: float = 10.0  # seconds between SIGTERM and SIGKILL


class Process:
    """A program and its process group. Start it from the main thread: it ends with that thread.

    `on_line` is called with the program's name and each line of its output.
    """

    def __init__(
        self, program: Program, environment: Mapping[str, str], folder: Path, on_line: Callable[[str, str], None]
    ) -> None:
        self.program = program
        self.lines: deque[str] = deque(maxlen=MAX_LINES)
        self._environment = environment
        self._folder = folder
        self._on_line = on_line
        self._popen: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.started = 0.0

    def start(self) -> None:
        """Start the program in a session of its own, so that Ctrl-C reaches it only through `stop`."""
        wrapper = [sys.executable, "-I", "-S", str(PDEATHSIG_SCRIPT), str(os.getpid())]
        self.started = time.monotonic()
        self._popen = subprocess.Popen(
            [*wrapper, *self.program.command],
            env=dict(self._environment),
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        output = cast(IO[str], self._popen.stdout)
        self._reader = threading.Thread(target=self._read, args=(output,), daemon=True)
        self._reader.start()

    @property
    def is_running(self) -> bool:
        """Whether the program runs."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The exit status, or minus the signal's number; `None` while the program runs."""
        return None if self._popen is None else self._popen.poll()

    def terminate(self) -> None:
        """Send SIGTERM to the program."""
        if self._popen is not None and self.is_running:
            self._popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the program and its process group."""
        if self._popen is None:
            return
        with suppress(ProcessLookupError, PermissionError):  # the group may be gone already
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        if self._reader is not None:
            self._reader.join(timeout=2)

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self.lines.append(line.rstrip())
                with suppress(OSError):  # our output may be closed; the program's must still be read
                    self._on_line(self.program.name, line.rstrip())
