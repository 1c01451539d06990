"""Commands to an attempt, and the end of one that does not obey."""

import time
from collections.abc import Mapping
from contextlib import suppress

from workers.protocol.messages import ENDINGS, Command, Ending, EndingVerb, send
from workers.runner.process_group import ProcessGroup


class CommandSender:
    """Sends an attempt its commands, each once; `graces` are the seconds after which it is to be killed.

    An attempt that is killed goes on from its last checkpoint, if it goes on.
    """

    def __init__(self, graces: Mapping[EndingVerb, float]) -> None:
        self._graces = graces
        self._kill_at = float("inf")
        self.verb: EndingVerb | None = None  # the last command

    @property
    def grace(self) -> float:
        """The seconds that the attempt has for the last command."""
        return self._graces[self.verb] if self.verb is not None else float("inf")

    @property
    def is_overdue(self) -> bool:
        """Whether the attempt has not obeyed within its grace."""
        return time.monotonic() >= self._kill_at

    @property
    def killed_ending(self) -> Ending:
        """How an attempt has ended that was killed after the last command."""
        return ENDINGS[self.verb] if self.verb is not None else Ending.LOST

    def send(self, processes: ProcessGroup, verb: EndingVerb) -> None:
        """Send a command, unless it is the last one."""
        if self.verb == verb:
            return
        self.verb = verb
        self._kill_at = min(self._kill_at, time.monotonic() + self.grace)
        with suppress(OSError):
            send(processes.pipe, Command(verb))
