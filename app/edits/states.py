"""The states of an edit and their transitions. Drawn in docs/states.md; a test compares them."""

from enum import StrEnum


class EditState(StrEnum):
    """The four states."""

    ACCEPTED = "accepted"
    """It has passed every check, and waits for its trigger."""
    APPLIED = "applied"
    """The training goes on with it: it has made a revision, at a step."""
    REJECTED = "rejected"
    """It could not be applied, or its trigger never came; nothing has changed, and `problems` say why."""
    WITHDRAWN = "withdrawn"
    """Its user has taken it back before it was applied, or a rollback has."""


class EditVerb(StrEnum):
    """What can happen to an edit."""

    APPLY = "apply"
    """The attempt has applied it."""
    REJECT = "reject"
    """The attempt could not apply it, or the job has ended."""
    WITHDRAW = "withdraw"
    """The user takes it back."""


class EditOrigin(StrEnum):
    """Where edits come from."""

    USER = "user"
    """A request."""
    PLAN = "plan"
    """A rule of the job's own plan."""
    ROLLBACK = "rollback"
    """A request to go back to a checkpoint: it has no operations, and is applied at once."""


TRANSITIONS: dict[EditVerb, tuple[frozenset[EditState], EditState]] = {
    EditVerb.APPLY: (frozenset({EditState.ACCEPTED}), EditState.APPLIED),
    EditVerb.REJECT: (frozenset({EditState.ACCEPTED}), EditState.REJECTED),
    EditVerb.WITHDRAW: (frozenset({EditState.ACCEPTED}), EditState.WITHDRAWN),
}
