"""The processes of one attempt, of which one reports to the worker."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from app.forkserver.process import ForkedProcess
from workers.protocol.messages import Message, receive

EXIT_SECONDS = 0.2  # an attempt that has sent its Outcome is about to end
KILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The members of an attempt; exactly one of them, the reporter, holds the other end of the pipe.

    Each member leads a process group of the operating system, in which its own children are.
    """

    reporter: ForkedProcess
    pipe: Connection
    silent_members: tuple[ForkedProcess, ...] = ()

    def join(self, timeout: float) -> int | None:
        """Wait for the reporter's end; returns its exit code, or `None` if it still runs."""
        self.reporter.join(timeout)
        return self.reporter.exitcode

    def messages(self, limit: int = sys.maxsize) -> Iterator[Message]:
        """Yield up to `limit` messages that have come already."""
        with suppress(EOFError, OSError):  # whoever waits for the next message learns of it
            while limit > 0 and self.pipe.poll(0):
                limit -= 1
                yield receive(self.pipe)

    def kill(self) -> None:
        """End every member with its children, and wait until they are gone."""
        running = [each for each in (self.reporter, *self.silent_members) if each.is_alive()]
        self.reporter.join(EXIT_SECONDS)
        for process in running:  # also one that has just ended: its children may be left in its group
            if process.pid is not None:
                for end in (os.killpg, os.kill):  # it leads its group only as soon as it runs
                    with suppress(ProcessLookupError, PermissionError):
                        end(process.pid, signal.SIGKILL)
            process.join(KILL_SECONDS)

    def close(self) -> None:
        """Kill the members and close the pipe."""
        self.kill()
        self.pipe.close()
