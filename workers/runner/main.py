"""The child's main: prepare → train → Outcome, over one pipe. Knows no SQL, no Redis, no Celery."""

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections import deque
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from app.errors import GraftwerkError, TrainingError
from app.logs import configure
from app.storage.open import open_store
from workers.protocol.assignment import Assignment
from workers.protocol.messages import Command, Ending, Outcome, ProgressReport, SavedCheckpoint, receive, send

_log = structlog.get_logger(__name__)


class PipeContext:
    """The real context: reports go up the pipe, commands come down it.

    When the pipe closes the supervisor is gone, and with it the right to write anything: the process ends at once.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._send_lock = threading.Lock()  # checkpoints are announced by the thread that writes them
        self._commands: deque[Command] = deque()
        threading.Thread(target=self._listen, name="commands", daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                message = receive(self._pipe)
            except (EOFError, OSError):
                os._exit(os.EX_UNAVAILABLE)
            if isinstance(message, Command):
                self._commands.append(message)

    def report(self, report: ProgressReport) -> None:
        """Send a report."""
        with self._send_lock:
            send(self._pipe, report)

    def save(self, saved: SavedCheckpoint) -> None:
        """Announce a durable checkpoint."""
        with self._send_lock:
            send(self._pipe, saved)

    def commands(self) -> list[Command]:
        """Return what has come since the last call."""
        commands = []
        while self._commands:
            commands.append(self._commands.popleft())
        return commands


def main(pipe: Connection, assignment: str, folder: str | None) -> None:
    """Run one attempt in a process group of its own and send its Outcome. `assignment` is JSON."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, which tells us through the pipe
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    multiprocessing.current_process().daemon = False  # it may have children: processes that decode pictures
    asked = Assignment.from_json(assignment)
    configure(asked.log_json, process="attempt", job_id=asked.job_id, fence=asked.fence)
    _log.info("attempt_prepared", pid=os.getpid())
    try:
        send(pipe, _run_attempt(PipeContext(pipe), asked, folder))
    except Exception:
        _log.exception("attempt_crashed")
        sys.exit(1)  # the supervisor records the loss
    pipe.close()


def _run_attempt(context: PipeContext, assignment: Assignment, folder: str | None) -> Outcome:
    if assignment.gpu is not None:  # before the first CUDA call
        os.environ["CUDA_VISIBLE_DEVICES"] = str(assignment.gpu)
    import torch  # noqa: PLC0415 - the forkserver has it; a plain import of this module does not need it

    from workers.torch_errors import out_of_memory_error  # noqa: PLC0415
    from workers.training.loop import train  # noqa: PLC0415
    from workers.training.prepare import prepare  # noqa: PLC0415

    torch.set_num_threads(assignment.threads)
    try:
        store = open_store(assignment.store_url, dict(assignment.store_options))
        with tempfile.TemporaryDirectory(prefix="graftwerk-", dir=folder) as own:
            return train(prepare(assignment, store, context, Path(own)))
    except (torch.OutOfMemoryError, MemoryError) as error:
        return _failure_outcome(out_of_memory_error(error))
    except GraftwerkError as error:
        return _failure_outcome(error)


def _failure_outcome(error: GraftwerkError) -> Outcome:
    """A job's own fault ends it; anything that may pass by itself is a loss, and is tried again."""
    details = {"code": error.code, "message": error.detail, "pointer": error.pointer, "hint": error.hint}
    ending = Ending.LOST if error.retryable else Ending.FAILED
    if not isinstance(error, TrainingError) and not error.retryable:
        ending = Ending.FAILED
    return Outcome(ending, error=details | {"retryable": error.retryable})
