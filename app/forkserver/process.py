"""A process that a fork server has started for this one."""

import os
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection

POLL_SECONDS = 0.05  # between two looks at a process of which the server tells nothing any more


class ForkedProcess:
    """A process, of which the server tells the exit code through `answers`; safe for threads."""

    def __init__(self, pid: int, answers: Connection) -> None:
        self.pid = pid
        self._answers = answers
        self._lock = threading.Lock()  # of whoever waits for the exit code
        self._exit_code: int | None = None
        self._server_gone = False

    @property
    def exitcode(self) -> int | None:
        """The exit code, or minus the number of a signal; `None` while the process runs, or if nobody knows it."""
        self.join(0)
        return self._exit_code

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return not self.join(0)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the process has ended, for `timeout` seconds at most; return whether it has."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            return False
        try:
            if self._exit_code is None and not self._server_gone and self._answers.poll(timeout):
                try:
                    self._exit_code = int(self._answers.recv_bytes())
                except (EOFError, OSError):
                    self._server_gone = True
        finally:
            self._lock.release()
        if not self._server_gone:
            return self._exit_code is not None
        while _exists(self.pid):
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def kill(self) -> None:
        """Send SIGKILL, unless the process has ended."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Free what belongs to the process here."""
        self._answers.close()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
