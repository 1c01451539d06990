"""The main function of an attempt's process: prepare, train, and send the outcome through the pipe."""

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from app.disk.spool import hold
from app.errors import GraftwerkError
from app.logs import configure
from app.storage.catalog import open_store
from workers.children.memory import limit_growth
from workers.protocol.assignment import Assignment
from workers.protocol.messages import (
    ENDINGS,
    Command,
    EditMessage,
    Ending,
    JobMessage,
    Outcome,
    ProgressReport,
    SavedCheckpoint,
    receive,
    send,
)
from workers.runner.memory import prefer_as_victim

NOTHING = ProgressReport()

_log = structlog.get_logger(__name__)


class PhaseClock:
    """How long each phase of an attempt took."""

    def __init__(self) -> None:
        self._phase, self._began = "starting", time.monotonic()
        self._seconds: dict[str, float] = {}

    def begin(self, phase: str, ago: float = 0.0) -> None:
        """End the current phase and begin another one, `ago` seconds before now."""
        now = time.monotonic() - ago
        self._seconds[self._phase] = self._seconds.get(self._phase, 0.0) + now - self._began
        self._phase, self._began = phase, now

    def milliseconds(self) -> dict[str, float]:
        """Return the duration of every phase that has ended, in milliseconds."""
        return {phase: round(1000 * seconds, 1) for phase, seconds in self._seconds.items()}


class PipeContext:
    """The context of a training in a child process: messages go up the pipe, commands come down it.

    When the pipe closes the worker is gone, and with it the right to write anything: the process ends at once.
    """

    def __init__(self, pipe: Connection, job_id: str) -> None:
        self._pipe, self._job_id = pipe, job_id
        self._clock = PhaseClock()
        self._send_lock = threading.Lock()  # checkpoints are announced by the thread that writes them
        self._commands: deque[Command] = deque()
        self._commands_lock = threading.Lock()
        self._has_begun = False  # the training, which reads the commands
        threading.Thread(target=self._listen, name="commands", daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                message = receive(self._pipe)
            except (EOFError, OSError):
                exit_group(os.EX_UNAVAILABLE)
            if isinstance(message, Command):
                self._receive(message)

    def _receive(self, command: Command) -> None:
        """Keep a command for the training. One to end that comes before it ends the attempt: nothing is trained yet."""
        ending = ENDINGS.get(command.verb)
        with self._commands_lock:
            if self._has_begun or ending is None:
                self._commands.append(command)
                return
            self._send(Outcome(ending))
            exit_group(os.EX_OK)

    def report(self, report: ProgressReport) -> None:
        """Send a report, unless it says nothing."""
        if report == NOTHING:
            return
        if report.phase is not None:
            self._clock.begin(report.phase)
        self._send(report)

    def save(self, saved: SavedCheckpoint) -> None:
        """Announce a durable checkpoint."""
        if saved.final:
            self._clock.begin("saving", ago=saved.seconds)
        self._send(saved)

    def finish(self, outcome: Outcome) -> None:
        """Send how the attempt ended, and log what it spent its time on."""
        self._send(outcome)
        self._clock.begin("ending")
        _log.info("attempt_timed", ms=self._clock.milliseconds())

    def _send(self, message: JobMessage) -> None:
        with self._send_lock:
            send(self._pipe, replace(message, job_id=self._job_id))

    def commands(self) -> list[Command]:
        """Return the commands since the last call."""
        if self._has_begun and not self._commands:
            return []
        with self._commands_lock:
            self._has_begun = True
            commands = list(self._commands)
            self._commands.clear()
        return commands

    def has_ending_command(self) -> bool:
        """Return whether there is a command to end since the last call of `commands`."""
        if not self._commands:
            return False
        with self._commands_lock:
            return any(command.verb in ENDINGS for command in self._commands)

    def report_edit(self, message: EditMessage) -> None:
        """Say what became of an edit."""
        self._send(message)


def main(pipe: Connection, assignment: str, folder: str | None) -> None:
    """Run one attempt in a process group of its own and send its outcome.

    Parameters: the pipe to the worker, an `Assignment` as JSON, and the folder for temporary files.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, which sends a command through the pipe
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    multiprocessing.current_process().daemon = False  # it may have children: processes that decode images
    prefer_as_victim()
    task = Assignment.from_json(assignment)
    configure(task.log_json, process="attempt", job_id=task.job_id, fence=task.fence)
    _log.info("attempt_prepared", pid=os.getpid())
    context = PipeContext(pipe, task.job_id)
    if folder is not None:
        hold(Path(folder))  # a worker that is killed does not end this process in the same moment
    try:
        context.finish(_run_attempt(context, task, folder))
    except Exception:
        _log.exception("attempt_crashed")
        sys.exit(1)  # the worker records the loss
    pipe.close()


def exit_group(code: int) -> None:
    """End this process at once, and with it the processes that it has started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(code)


def _run_attempt(context: PipeContext, assignment: Assignment, folder: str | None) -> Outcome:
    if assignment.gpus:  # before the first CUDA call
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, assignment.gpus))
    import torch  # noqa: PLC0415 - the forkserver has it; a plain import of this module does not need it

    from workers.torch_errors import out_of_memory_error  # noqa: PLC0415
    from workers.training.loop import train  # noqa: PLC0415
    from workers.training.prepare import prepare  # noqa: PLC0415

    torch.set_num_threads(assignment.threads)
    if assignment.memory and not torch.cuda.is_available():  # CUDA maps far more than it uses
        limit_growth(assignment.memory)
    try:
        store = open_store(assignment.store_url, dict(assignment.store_options))
        with tempfile.TemporaryDirectory(prefix="graftwerk-", dir=folder) as work:
            return train(prepare(assignment, store, context, Path(work)))
    except (torch.OutOfMemoryError, MemoryError) as error:
        return _failure_outcome(out_of_memory_error(error))
    except GraftwerkError as error:
        return _failure_outcome(error)


def _failure_outcome(error: GraftwerkError) -> Outcome:
    """Return the outcome of an error: a loss, which is retried, if it may pass by itself; else the job has failed."""
    details = {"code": error.code, "message": error.detail, "pointer": error.pointer, "hint": error.hint}
    ending = Ending.LOST if error.retryable else Ending.FAILED
    return Outcome(ending, error=details | {"retryable": error.retryable})
