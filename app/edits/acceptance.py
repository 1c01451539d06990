"""Whether an edit is accepted: what it will meet, and when. The job's row is locked by the caller who stores it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app import curves, events
from app.db.tables import EditRow, JobRow
from app.edits import repository, revisions
from app.edits.order import check_order, moment_problems
from app.edits.states import EditOrigin, EditState
from app.errors import Conflict, InvalidInput, InvalidState, TooManyPendingEdits
from app.events import EventKind
from app.jobs.states import TERMINAL_STATUSES
from app.spec.edits.edit import Edit
from app.spec.job import parse_job

MAX_PENDING_EDITS = 100  # of one job
FORK_HINT = "fork the job, or start a new one from its checkpoint"

Json = Mapping[str, Any]


class StaleRevision(Conflict):
    """The job is at another revision than the edit was written for."""

    code = "stale_revision"


class GroundChanged(Conflict):
    """Another edit came in between."""

    code = "edited_meanwhile"
    retryable = True


@dataclass(frozen=True, slots=True)
class SubmittedEdit:
    """An edit, and as it was sent."""

    edit: Edit
    document: Json


@dataclass(frozen=True, slots=True)
class Ground:
    """What a new edit will meet: the current document, and the edits that are applied before it."""

    revision: int
    document: Json
    pending: tuple[tuple[int, tuple[Json, ...]], ...]  # number and operations
    next_number: int  # that the edit will have

    @property
    def expected(self) -> tuple[int, int]:
        """The revisions for which an edit may be written: the current one, and the one it will meet."""
        return self.revision, self.revision + len(self.pending)


def find_ground(session: Session, job: JobRow, edit: Edit) -> Ground:
    """Return what an edit will meet.

    Raises `InvalidState` for a job that has ended, `StaleRevision`, `BehindPending`, `TooManyPendingEdits`, and
    `InvalidInput` for a moment that never comes.
    """
    check_active(job)
    pending, document = repository.pending(session, job.id), revisions.current_document(session, job)
    waiting = tuple((row.number, tuple(row.operations)) for row in pending)
    ground = Ground(job.revision, document, waiting, repository.next_number(session, job.id))
    if edit.expect_revision is not None and edit.expect_revision not in ground.expected:
        detail = f"the job is at revision {job.revision}, and the edit was written for {edit.expect_revision}"
        hint = f"look at GET /v1/jobs/{job.id}/network/diff, and write it for revision {job.revision}"
        raise StaleRevision(detail, pointer="/expect_revision", hint=hint)
    if len(pending) >= MAX_PENDING_EDITS:
        detail = f"{len(pending)} edits of the job wait already"
        raise TooManyPendingEdits(detail, hint="wait until they are applied, or put several operations into one edit")
    check_order(edit, pending, job.progress)
    spec = parse_job(document)
    series = [*spec.objective.series_names(), *curves.series_names(session, job.id)]
    if problems := moment_problems(edit.at, job.progress, series, not pending, _has_validation(job)):
        raise InvalidInput(problems)
    return ground


def _has_validation(job: JobRow) -> bool:
    return (job.inspection.get("splits") or {}).get("validation") is not None


def check_active(job: JobRow) -> None:
    """Raise `InvalidState` for a job that has ended, or is about to."""
    if job.status in TERMINAL_STATUSES:
        raise InvalidState(f"the job has {job.status}, and is not changed any more", hint=FORK_HINT)
    if job.wish == "cancel":
        raise InvalidState("the job is being cancelled, and is not changed any more", hint=FORK_HINT)


def accept(
    session: Session, job: JobRow, submitted: SubmittedEdit, ground: Ground, inspection: Json, key_id: str
) -> EditRow:
    """Store an edit that was checked against `ground`, with the `inspection` of the job that it makes.

    Raises `GroundChanged` if it will meet something else by now, and what `find_ground` raises.
    """
    if find_ground(session, job, submitted.edit) != ground:
        raise GroundChanged(hint="send it again")
    row = repository.insert(
        session,
        job,
        state=EditState.ACCEPTED,
        origin=EditOrigin.USER,
        expect_revision=submitted.edit.expect_revision,
        at=submitted.document.get("at", "now"),
        operations=list(submitted.document["operations"]),
        comment=submitted.edit.comment,
        key_id=key_id,
        inspection=dict(inspection),
    )
    repository.count_change(session, job.id)
    events.append(session, job.id, EventKind.EDIT_ACCEPTED, {"edit": row.number, "at": row.at}, job.fence)
    return row


@dataclass(frozen=True, slots=True)
class FirstEdit:
    """The edit with which a new job begins, which passed every check; see `start_from.edits`."""

    operations: Sequence[Json]
    inspection: Json  # of what it makes of the job

    def store(self, session: Session, job_id: str) -> None:
        """Store it as the job's first edit."""
        document = {"operations": list(self.operations)}
        job, submitted = session.get_one(JobRow, job_id), SubmittedEdit(Edit.model_validate(document), document)
        accept(session, job, submitted, find_ground(session, job, submitted.edit), self.inspection, job.key_id)
