"""Outcomes of attempts that cannot report one themselves, and what an attempt loses that is killed."""

from dataclasses import replace

from app.errors import LoaderDied, OutOfMemory
from workers.protocol.messages import Ending, JobMessage, Outcome, ProgressReport, SavedCheckpoint
from workers.runner.memory import MemoryWatch

KERNEL_KILL = "the attempt or a child of it was killed while the kernel was ending processes for want of memory"
OUT_OF_MEMORY_HINT = (
    "use a smaller batch_size, with accumulate, or a smaller network; or allow more with GRAFTWERK_ATTEMPT_MEMORY"
)


def lost_outcome(code: str, message: str) -> Outcome:
    """Return the outcome of an attempt that is tried again."""
    return Outcome(Ending.LOST, error={"code": code, "message": message, "pointer": "", "retryable": True})


def out_of_memory_outcome(reason: str, memory: MemoryWatch) -> Outcome:
    """Return the outcome of an attempt that needs more memory than there is: another one would need as much."""
    error = {"code": OutOfMemory.code, "message": f"{reason}: {memory.figures()}", "retryable": False}
    place = {"pointer": "/training/batch_size", "hint": OUT_OF_MEMORY_HINT}
    return Outcome(Ending.FAILED, error=error | place)


def kernel_kill_outcome(memory: MemoryWatch) -> Outcome:
    """Return the outcome of an attempt that was killed while the kernel ended processes for want of memory.

    The kernel counts for the whole machine: it may have ended another process, and somebody else this one. So the
    attempt is tried again, as after any loss; if attempts run out, the job ends with this error.
    """
    outcome = out_of_memory_outcome(KERNEL_KILL, memory)
    return replace(outcome, ending=Ending.LOST, error={**(outcome.error or {}), "retryable": True})


def explain(outcome: Outcome, memory: MemoryWatch) -> Outcome:
    """Return the attempt's own outcome; figures are added if it has run out of memory, or the kernel says so."""
    error = outcome.error or {}
    if error.get("code") == LoaderDied.code and memory.has_kernel_killed():
        return kernel_kill_outcome(memory)
    if error.get("code") != OutOfMemory.code:
        return outcome
    message = f"{error['message']}: {memory.figures()}"
    return replace(outcome, error={**error, "message": message, "hint": OUT_OF_MEMORY_HINT})


def time_limit_outcome(max_seconds: float) -> Outcome:
    """Return the outcome of an attempt that is stopped because its job has run for `max_seconds`."""
    message = f"the job ran longer than max_seconds ({max_seconds:g})"
    error = {"code": "time_limit", "message": message, "pointer": "/max_seconds", "retryable": False}
    return Outcome(Ending.FAILED, error=error)


class StepCounter:
    """The steps of an attempt, by its messages: the last that it reported, and that of its last checkpoint."""

    def __init__(self) -> None:
        self._reported = self._saved = 0

    def add(self, message: JobMessage) -> None:
        """Take a message into account."""
        if isinstance(message, SavedCheckpoint):
            self._saved = message.step
        elif isinstance(message, ProgressReport):
            for kind, data in message.events:
                if kind == "rewound":
                    self._reported = self._saved = int(data["step"])
            self._reported = max(self._reported, int((message.progress or {}).get("step", 0)))

    def kill_warning(self, grace: float) -> ProgressReport:
        """Return the warning of an attempt that was killed after its grace in seconds, and goes on."""
        detail = (
            f"the attempt did not stop within {grace:g} s and was killed: the job goes on from step {self._saved}, and "
            f"{max(0, self._reported - self._saved)} steps that it had reported since are trained again"
        )
        hint = "checkpoints in closer succession (every_steps, every_seconds) lose fewer steps"
        return ProgressReport(events=(("warning", {"code": "stopped_by_force", "detail": detail, "hint": hint}),))
