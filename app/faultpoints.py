"""Named places at which a fault campaign may strike: in a test process, and nowhere else.

Nothing of a campaign is in the product: it has the names, and a hook that is empty unless a test has armed it in this
process. Children of a forkserver inherit what their server was armed with.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

FAULTPOINTS = {
    "request_received": "API: a job's body is here, nothing has been looked at",
    "before_commit": "API: the job is in the transaction",
    "after_commit": "API: the job is committed, the client has no response yet",
    "wake_up_sent": "API or worker: the broker has a wake-up, or refused it",
    "claimed": "worker: the claim is committed, there is no process yet",
    "spawned": "worker: the attempt's process has been forked",
    "lease_renewed": "worker: the lease has been extended",
    "data_opened": "runner: the data set is in memory",
    "network_built": "runner: the network is built, and nothing has been loaded into it",
    "mid_step": "runner: gradients are there, the weights have not moved; in every step",
    "before_report": "runner: points are collected, and have not been handed over",
    "before_chunk": "worker: a report has come, and is not written",
    "chunk_committed": "worker: a report is committed",
    "file_opened": "runner: a file of a checkpoint is open and empty",
    "file_half_written": "runner: a file has some of its bytes, under a name that nobody looks for",
    "file_synced": "runner: a file is complete and durable, under that name",
    "file_renamed": "runner: a file has its name, the folder has not been synced",
    "edit_built": "runner: the network of an edit is built and has its state, nobody knows of it yet",
    "edit_reported": "runner: an edit has been reported, its own checkpoint is not there yet",
    "final_checkpoint": "runner: every step is done, the last checkpoint is not",
    "before_row": "worker: a checkpoint's files are durable, no row lists them",
    "row_committed": "worker: the checkpoint is listed",
    "before_removal": "worker: superfluous checkpoints are no longer listed, their files are still there",
    "cancel_seen": "worker: the request to cancel has been read, the attempt does not know it yet",
    "edit_accepted": "API: an edit is committed, the client has no response yet",
    "edit_found": "worker: an accepted edit has been read, and has not been sent to the attempt",
    "edit_applied": "worker: the attempt has applied an edit, which is not written down",
    "edit_rejected": "worker: the attempt could not apply an edit, which is not written down",
    "edit_withdrawn": "worker: the attempt has given up an edit, which is not written down",
    "edit_recorded": "worker: what became of an edit is committed",
    "before_outcome": "worker: how the attempt ended is known, and not written down",
    "outcome_committed": "worker: the outcome is committed, the slot has not been given back",
}

_strike: Callable[[str], None] | None = None


def faultpoint(name: str) -> None:
    """Pass one of the `FAULTPOINTS`. Costs a comparison where nothing is armed."""
    if _strike is not None:
        _strike(name)


def arm(strike: Callable[[str], None] | None) -> None:
    """Let `strike` be called at every point that this process, or one forked from it, passes; `None` disarms."""
    global _strike  # noqa: PLW0603 - one hook a process, which a fork inherits
    _strike = strike


@contextmanager
def disarmed() -> Iterator[None]:
    """Pass points without effect, in what no attempt does."""
    strike = _strike
    arm(None)
    try:
        yield
    finally:
        arm(strike)
