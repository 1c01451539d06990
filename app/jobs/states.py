"""The states of a job and their transitions. Drawn in docs/states.md; a test compares them."""

from enum import StrEnum


class Status(StrEnum):
    """The six statuses."""

    QUEUED = "queued"
    """Accepted and waiting for a worker."""
    RUNNING = "running"
    """Owned by one attempt, which holds a lease under the current fence."""
    PAUSED = "paused"
    """Stopped at a checkpoint on the user's wish; goes on when resumed."""
    SUCCEEDED = "succeeded"
    """Trained to its end; the final checkpoint is listed."""
    FAILED = "failed"
    """Ended by an error, which the job carries."""
    CANCELLED = "cancelled"
    """Ended by the user's wish."""


class Verb(StrEnum):
    """What can happen to a job."""

    CLAIM = "claim"
    """A worker takes the job under a new fence."""
    RELEASE = "release"
    """A worker that must stop hands the job back at a checkpoint."""
    LOSE = "lose"
    """The attempt died or its lease ran out; the job waits for another attempt."""
    SUCCEED = "succeed"
    """The attempt trained to the end."""
    FAIL = "fail"
    """The attempt ended with an error, or attempts ran out."""
    CANCEL = "cancel"
    """The user's wish to end the job came true."""
    PAUSE = "pause"
    """The user's wish to pause the job came true."""
    RESUME = "resume"
    """A paused job waits for a worker again."""
    ROLL_BACK = "roll_back"
    """The job goes on from a checkpoint of an earlier revision; its attempt is ended."""
    RETRY = "retry"
    """A job that ended without success waits for a worker again, with what it has trained."""


TRANSITIONS: dict[Verb, tuple[frozenset[Status], Status]] = {
    Verb.CLAIM: (frozenset({Status.QUEUED}), Status.RUNNING),
    Verb.RELEASE: (frozenset({Status.RUNNING}), Status.QUEUED),
    Verb.LOSE: (frozenset({Status.RUNNING}), Status.QUEUED),
    Verb.ROLL_BACK: (frozenset({Status.RUNNING}), Status.QUEUED),
    Verb.SUCCEED: (frozenset({Status.RUNNING}), Status.SUCCEEDED),
    Verb.FAIL: (frozenset({Status.RUNNING, Status.QUEUED}), Status.FAILED),
    Verb.CANCEL: (frozenset({Status.QUEUED, Status.RUNNING, Status.PAUSED}), Status.CANCELLED),
    Verb.PAUSE: (frozenset({Status.QUEUED, Status.RUNNING}), Status.PAUSED),
    Verb.RESUME: (frozenset({Status.PAUSED}), Status.QUEUED),
    Verb.RETRY: (frozenset({Status.FAILED, Status.CANCELLED}), Status.QUEUED),
}

TERMINAL_STATUSES = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
