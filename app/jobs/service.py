"""The rules of jobs: submission, the user's verbs, and how an attempt's end is recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app import checkpoints, events
from app.access import audit, idempotency, quotas
from app.access.audit import Action, Actor
from app.access.idempotency import IdempotentRequest, IdempotentResponse
from app.access.quotas import EffectiveLimits
from app.datasets import references
from app.db.session import Database
from app.db.tables import JobRow, now
from app.errors import InvalidInput, InvalidState, NotFound, ServiceOverloaded
from app.events import EventKind
from app.faultpoints import faultpoint
from app.jobs import repository, start
from app.jobs.queue import MAX_BACKOFF_SECONDS
from app.jobs.states import TERMINAL_STATUSES, TRANSITIONS, Status, Verb
from app.spec.data.columns import DataSchema
from app.spec.timestamps import parse_rfc3339
from app.spec.training.algorithms.places import Places
from app.webhooks.repository import webhook_problems

if TYPE_CHECKING:
    from app.spec.job import JobSpec

BACKOFF_SECONDS = (0.0, 1.0, 4.0, 15.0, MAX_BACKOFF_SECONDS)  # seconds before the next attempt, by losses so far
GPU_QUEUE = "gpu"


class FirstEdit(Protocol):
    """An edit with which a new job begins, which passed every check."""

    def store(self, session: Session, job_id: str) -> None:
        """Store it as the job's first edit."""
        ...


@dataclass(frozen=True, slots=True)
class Submission:
    """A job that passed every check, and who submits it."""

    actor: Actor
    limits: EffectiveLimits
    job: "JobSpec"
    document: Mapping[str, Any]
    schema: DataSchema
    inspection: Mapping[str, Any]
    first_edit: FirstEdit | None = None  # with which it begins
    places: Places = field(default_factory=Places)  # from the document to what the user wrote

    @property
    def owner(self) -> str:
        """The owner of the new job."""
        return self.actor.owner


def select_queue(job: "JobSpec") -> str:
    """Return the queue that serves the job: what needs a GPU goes to the workers that have one."""
    needs_gpu = job.resources.gpus > 0 or job.training.device == "cuda"
    return GPU_QUEUE if needs_gpu and job.resources.queue == "default" else job.resources.queue


def create(
    db: Database,
    submission: Submission,
    render: Callable[[Row[Any]], dict[str, Any]],
    *,
    max_queued: int,
    request: IdempotentRequest | None = None,
    action: Action = Action.JOB_CREATE,
) -> IdempotentResponse:
    """Accept a job, once per request. `render` gives the answer's body.

    Raises `ServiceOverloaded`, `IdempotencyKeyReused`, and `QuotaExceeded` by what the key may use.

    The caller sends the wake-up after this returns: commit, then send.
    """

    def unit(session: Session) -> IdempotentResponse:
        def effect() -> tuple[int, dict[str, Any]]:
            check_submission(session, submission, max_queued, pin=True)
            row = _insert(session, submission)
            if submission.first_edit is not None:
                submission.first_edit.store(session, row.id)
            audit.append(session, submission.actor, action, row.id)
            return 201, render(row)

        answer = idempotency.run_once(session, request or IdempotentRequest(submission.owner, None, ""), effect)
        faultpoint("before_commit")
        return answer

    answer = db.run(unit)
    faultpoint("after_commit")
    return answer


def check_submission(session: Session, submission: Submission, max_queued: int, *, pin: bool = False) -> None:
    """Check all of a submission that depends on what is stored; what is submitted, and what is only validated.

    With `pin`, what the job depends on stays until the transaction ends. Raises `InvalidInput` with every problem, and
    `Forbidden`, `ServiceOverloaded` and `QuotaExceeded` by what the service and the key allow.
    """
    job, owner, limits = submission.job, submission.owner, submission.limits
    references.pin(session, owner, submission.document)
    problems = [*start.start_problems(session, owner, job, pin), *webhook_problems(session, owner, job.webhook)]
    problems += quotas.network_problems(limits, submission.inspection["totals"]["parameters"])
    if problems:
        raise InvalidInput(submission.places.translate(problems))
    quotas.check_priority(limits, job.priority)
    if repository.count_jobs(session, Status.QUEUED) >= max_queued:
        raise ServiceOverloaded(f"{max_queued} jobs are waiting already; try again later")
    quotas.check_queue(session, submission.actor.key_id or "", limits)
    quotas.check_storage(session, owner, limits)


def _insert(session: Session, submission: Submission) -> Row[Any]:
    job = submission.job
    return repository.insert(
        session,
        owner=submission.owner,
        key_id=submission.actor.key_id or "",
        name=job.name,
        spec=dict(submission.document),
        data_schema=submission.schema.model_dump(mode="json"),
        inspection=dict(submission.inspection),
        labels=dict(job.metadata),
        queue=select_queue(job),
        priority=job.priority,
        max_seconds=job.max_seconds,
        not_before=_not_before(submission.document),
    )


def _not_before(spec: Mapping[str, Any]) -> float:
    """Return the spec's earliest start in Unix seconds; 0 for none."""
    text = spec.get("not_before")
    return 0.0 if text is None else max(0.0, parse_rfc3339(text))


def cancel(session: Session, owner: str, job_id: str) -> JobRow:
    """Cancel a job at once unless it is running; else request it. Cancelling twice is no error.

    Raises `NotFound`, and `InvalidState` for a job that ended otherwise.
    """
    row = repository.find_for_update(session, owner, job_id)
    if row.status == Status.CANCELLED or row.wish == "cancel":
        return row
    _check_active(row, "cancelled")
    if row.status == Status.RUNNING:
        return _request_verb(session, row, "cancel")
    return repository.transition(session, job_id, Verb.CANCEL, finished_at=now(), wish=None, phase="")


def pause(session: Session, owner: str, job_id: str) -> JobRow:
    """Pause a job at once unless it is running; else request it: it pauses at the next step, with a checkpoint.

    Pausing twice is no error. Raises `NotFound`, and `InvalidState` for a job that ended or is being cancelled.
    """
    row = repository.find_for_update(session, owner, job_id)
    if row.status == Status.PAUSED or row.wish == "pause":
        return row
    _check_active(row, "paused")
    if row.status == Status.RUNNING:
        return _request_verb(session, row, "pause")
    return repository.transition(session, job_id, Verb.PAUSE)


def resume(session: Session, owner: str, job_id: str, limits: quotas.EffectiveLimits | None = None) -> JobRow:
    """Queue a paused job again, or withdraw the request to pause it. Resuming twice is no error.

    Raises `NotFound`, `TooManyQueuedJobs`, and `InvalidState` for a job that ended or is being cancelled.
    """
    row = repository.find_for_update(session, owner, job_id)
    if row.status == Status.PAUSED:
        quotas.check_queue(session, row.key_id, limits)
        return repository.transition(
            session, job_id, Verb.RESUME, **repository.requeued_values(), not_before=_not_before(row.spec)
        )
    _check_active(row, "resumed")
    return _request_verb(session, row, None) if row.wish == "pause" else row


def _check_active(row: JobRow, participle: str) -> None:
    """Raise `InvalidState` for a job that has ended, or is being cancelled."""
    if row.status in TERMINAL_STATUSES or row.wish == "cancel":
        ended = "has been cancelled" if row.status == Status.CANCELLED else f"has {row.status}"
        state = "is being cancelled" if row.wish == "cancel" else ended
        raise InvalidState(f"the job {state} and cannot be {participle}")


def retry(session: Session, owner: str, job_id: str, limits: quotas.EffectiveLimits | None = None) -> JobRow:
    """Queue a failed or cancelled job again, from its last checkpoint and with all of its time.

    Raises `NotFound`, `TooManyQueuedJobs`, and `InvalidState` for a job in another status, or one whose data set or
    checkpoint is gone.
    """
    row = repository.find_for_update(session, owner, job_id)
    if row.status in TRANSITIONS[Verb.RETRY][0]:
        quotas.check_queue(session, row.key_id, limits)
        _check_prerequisites(session, row)
    fresh: dict[str, Any] = {
        "attempts": 0,
        "not_before": _not_before(row.spec),
        "error": None,
        "started_at": None,
        "finished_at": None,
        "result": None,
    }
    return repository.transition(session, job_id, Verb.RETRY, **repository.requeued_values(), **fresh)


def _check_prerequisites(session: Session, row: JobRow) -> None:
    """Pin what the job depends on: its data sets, and the checkpoint it starts from while it has none of its own."""
    named = row.spec.get("start_from")
    try:
        references.pin(session, row.owner, row.spec)
        if named is not None and "checkpoint" in named and not checkpoints.list_checkpoints(session, row.id):
            checkpoints.pin(session, row.owner, named["checkpoint"])
    except (InvalidInput, NotFound) as error:
        raise InvalidState(f"the job cannot go on: {error.detail}", hint="submit it anew") from None


def _request_verb(session: Session, row: JobRow, wish: str | None) -> JobRow:
    repository.update_visible(session, row.id, wish=wish)
    events.append(session, row.id, EventKind.WISH, {"wish": wish}, row.fence)
    session.refresh(row)
    return row


def succeed(session: Session, job_id: str, fence: int, result: Mapping[str, Any]) -> None:
    """Record that the attempt trained to the end."""
    _finish(session, job_id, fence, Verb.SUCCEED, result=dict(result))


def fail(session: Session, job_id: str, fence: int, error: Mapping[str, Any]) -> None:
    """Record that the job itself is at fault."""
    _finish(session, job_id, fence, Verb.FAIL, data={"error": dict(error)}, error=dict(error))


def complete_cancel(session: Session, job_id: str, fence: int) -> None:
    """Record that the job was cancelled."""
    _finish(session, job_id, fence, Verb.CANCEL)


def _finish(
    session: Session, job_id: str, fence: int, verb: Verb, data: Mapping[str, Any] | None = None, **values: Any
) -> None:
    ended = {"finished_at": now(), "lease_until": None, "wish": None, "phase": ""}
    repository.transition(session, job_id, verb, held=fence, data=data, **ended, **values)


def release(session: Session, job_id: str, fence: int) -> None:
    """Queue the job again after a checkpoint, because its worker stops; a requested cancellation is carried out."""
    if repository.lock_for_attempt(session, job_id, fence).wish == "cancel":
        return complete_cancel(session, job_id, fence)
    repository.transition(session, job_id, Verb.RELEASE, held=fence, **repository.requeued_values())
    return None


def complete_pause(session: Session, job_id: str, fence: int) -> None:
    """Record that the job paused at a checkpoint; if the request was withdrawn, queue it again."""
    if repository.lock_for_attempt(session, job_id, fence).wish != "pause":
        return release(session, job_id, fence)
    repository.transition(session, job_id, Verb.PAUSE, held=fence, **repository.requeued_values() | {"wish": None})
    return None


def record_loss(session: Session, job_id: str, fence: int, error: Mapping[str, Any], max_attempts: int) -> bool:
    """Record that an attempt was lost to a failure of its machine; return whether the job is queued again."""
    row = repository.lock_for_attempt(session, job_id, fence)
    if row.wish == "cancel":
        complete_cancel(session, job_id, fence)
        return False
    losses = row.attempts + 1
    if losses > min(max_attempts, row.spec.get("retries", 3)):
        final_error = {
            **error,
            "retryable": True,
            "message": f"{error['message']} ({losses} attempts without a checkpoint)",
        }
        fail(session, job_id, fence, final_error)
        return False
    delay = BACKOFF_SECONDS[min(losses - 1, len(BACKOFF_SECONDS) - 1)]
    values = repository.requeued_values() | {"attempts": losses, "not_before": now() + delay}
    repository.transition(session, job_id, Verb.LOSE, held=fence, data={"error": dict(error)}, **values)
    return True
