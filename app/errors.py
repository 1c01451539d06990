"""The errors of the domain. HTTP statuses are in `app/api/http/problems.py` alone.

GraftwerkError
├── NotFound (or it belongs to another owner), Unauthenticated, Forbidden, MissingDependency, SecretSealed, BackupError
├── RequestError      the request cannot be carried out as it stands
│   ├── MalformedRequest, BodyTimeout, InvalidInput (carries every problem, each with a JSON Pointer)
│   ├── Conflict      InvalidState, WrongOffset, NotExportable, NotPredictable, IdempotencyKeyInUse, StaleFence
│   ├── IdempotencyKeyReused, ContentTooLarge, UnsupportedMediaType, RangeNotSatisfiable, UnknownParameter
│   └── QuotaExceeded what may be used is used up; for now: TooManyQueuedJobs, TooManyPendingEdits
├── Unavailable       try again later: DatabaseUnavailable, ServiceOverloaded, TooManyRequests
└── TrainingError     an attempt ended because of the job itself; StorageFull is of a request's files too
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a document: its place, a code, what is wrong, and how to fix it."""

    pointer: str  # JSON Pointer (RFC 6901) into the document the user sent
    code: str  # closed snake_case vocabulary, stable for programs
    detail: str
    hint: str = ""

    def with_prefix(self, place: str) -> "Problem":
        """Return the same problem of a document that holds this one at `place`, a JSON Pointer."""
        return replace(self, pointer=place + self.pointer)

    def as_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"pointer": self.pointer, "code": self.code, "detail": self.detail, "hint": self.hint}


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message that is not blank, or the name of its class if there is none."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


class GraftwerkError(Exception):
    """Something went wrong in Graftwerk."""  # a class's docstring is its default message

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str | None = None, *, pointer: str = "", hint: str = "") -> None:
        self.detail = detail or (type(self).__doc__ or "").strip().splitlines()[0]
        self.pointer, self.hint = pointer, hint
        super().__init__(self.detail)


class NotFound(GraftwerkError):
    """There is no such object."""

    code = "not_found"


class RequestError(GraftwerkError):
    """The request cannot be carried out as it stands."""

    code = "refused"


class MalformedRequest(RequestError):
    """The request cannot be read."""

    code = "malformed"


class BodyTimeout(RequestError):
    """The body did not come in time."""

    code = "body_timeout"
    retryable = True


class InvalidInput(RequestError):
    """The document has problems."""

    code = "invalid_input"

    def __init__(self, problems: Sequence[Problem], detail: str | None = None) -> None:
        self.problems = tuple(problems)
        first, count = self.problems[0] if self.problems else None, len(self.problems)
        summary = f"{count} problem{'s' if count != 1 else ''}"
        default = f"{summary}: {first.detail} (at {first.pointer or '/'})" if first else None
        super().__init__(detail or default, pointer=first.pointer if first else "", hint=first.hint if first else "")


class Conflict(RequestError):
    """The object's state forbids this."""

    code = "conflict"


class InvalidState(Conflict):
    """The job's status does not allow this."""

    code = "state_forbids"


class IdempotencyKeyInUse(Conflict):
    """A request with this Idempotency-Key is still being answered."""

    code = "idempotency_key_in_use"
    retryable = True


class WrongOffset(Conflict):
    """This chunk does not follow the bytes received so far."""

    code = "wrong_offset"

    def __init__(self, received: int) -> None:
        self.received = received
        super().__init__(f"{received} bytes are received: send the bytes after them", hint=f"start at byte {received}")


class NotExportable(Conflict):
    """The network cannot be exported as one graph."""

    code = "not_exportable"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(first.detail + more, pointer=first.pointer, hint=first.hint)


class NotPredictable(Conflict):
    """The checkpoint cannot be used for predictions."""

    code = "not_predictable"


class StaleFence(Conflict):
    """This attempt no longer owns the job."""

    code = "stale_fence"


class IdempotencyKeyReused(RequestError):
    """This Idempotency-Key was used before with another body."""

    code = "idempotency_key_reused"


class ContentTooLarge(RequestError):
    """The body is larger than allowed."""

    code = "too_large"


class UnsupportedMediaType(RequestError):
    """The body has an unsupported media type."""

    code = "unsupported_media_type"


class RangeNotSatisfiable(RequestError):
    """The file does not have these bytes."""

    code = "range_not_satisfiable"

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"the file has {size} bytes")


class QuotaExceeded(RequestError):
    """A quota is used up."""

    code = "quota_exceeded"


class TooManyQueuedJobs(QuotaExceeded):
    """Too many jobs of this key are waiting."""

    code = "too_many_waiting"
    retryable = True


class TooManyPendingEdits(QuotaExceeded):
    """Too many edits of this job wait for their moment."""

    code = "too_many_pending"
    retryable = True


class UnknownParameter(RequestError):
    """The route does not know this query parameter."""

    code = "unknown_parameter"


class Unauthenticated(GraftwerkError):
    """A valid API key is needed."""

    code = "unauthenticated"


class Forbidden(GraftwerkError):
    """The key lacks the scope for this."""

    code = "forbidden"


class MissingDependency(GraftwerkError):
    """A package is missing."""

    code = "not_installed"


class BackupError(GraftwerkError):
    """The backup cannot be made or restored."""

    code = "backup_refused"


class Unavailable(GraftwerkError):
    """A part of the service is unavailable."""

    code = "unavailable"
    retryable = True


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""

    code = "database_unavailable"


class ServiceOverloaded(Unavailable):
    """The service is at its capacity."""

    code = "overloaded"


class TooManyRequests(Unavailable):
    """Too many requests with this key; slow down."""

    code = "rate_limited"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__()


class TrainingError(GraftwerkError):
    """The job cannot be trained."""

    code = "training_failed"


class BuildError(TrainingError):
    """The network cannot be built."""

    code = "build_failed"


class DataError(TrainingError):
    """The data does not hold what the spec says."""

    code = "data_invalid"


class NumericError(TrainingError):
    """The loss is not a finite number."""

    code = "loss_not_finite"


class OutOfMemory(TrainingError):
    """The attempt ran out of memory."""

    code = "out_of_memory"


class LoaderDied(TrainingError):
    """A process that decodes images has died."""

    code = "loader_died"
    retryable = True


class StorageFull(TrainingError):
    """There is no room on the disk or in the artifact store."""

    code = "storage_full"
    retryable = True


class CorruptCheckpoint(TrainingError):
    """None of the job's checkpoints has the files that were stored."""

    code = "checkpoint_damaged"
    retryable = True
