"""Whether an edit is accepted: what it will meet, and when. The job's row is locked by the caller who stores it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app import curves, events
from app.db.tables import EditRow, JobRow
from app.edits import repository, revisions
from app.edits.order import check_order, length_problems, trigger_problems
from app.edits.states import EditOrigin, EditState
from app.errors import Conflict, InvalidInput, InvalidState, TooManyPendingEdits
from app.events import EventKind
from app.jobs.states import TERMINAL_STATUSES
from app.spec.edits.edit import Edit
from app.spec.job import JobSpec, parse_job

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
    spent_rules: tuple[int, ...] = ()  # of the document's plan, that make no more edits

    @property
    def next_revision(self) -> int:
        """The revision that a new edit will meet."""
        return self.revision + len(self.pending)


def find_ground(session: Session, job: JobRow, edit: Edit) -> Ground:
    """Return what an edit will meet.

    Raises `InvalidState` for a job that has ended, `StaleRevision`, `BehindPending`, `TooManyPendingEdits`,
    `GroundChanged` while an edit that waits is being withdrawn, and `InvalidInput` for a trigger that never comes.
    """
    check_active(job)
    pending, document = repository.pending(session, job.id), revisions.current_document(session, job)
    waiting = tuple((row.number, tuple(row.operations)) for row in pending)
    spec = parse_job(document)
    spent = _spent_rules(session, job, spec)
    ground = Ground(job.revision, document, waiting, repository.next_number(session, job.id), spent)
    if edit.expect_revision not in (None, ground.next_revision):
        raise _stale_revision(job, ground, edit)
    if withdrawn := [str(row.number) for row in pending if row.withdraw_requested]:
        detail = f"edit {', '.join(withdrawn)} is being withdrawn, and the attempt has not agreed yet"
        raise GroundChanged(detail, hint="send it again when that edit has ended")
    if len(pending) >= MAX_PENDING_EDITS:
        detail = f"{len(pending)} edits of the job wait already"
        raise TooManyPendingEdits(detail, hint="wait until they are applied, or put several operations into one edit")
    progress = {"total_steps": spec.training.steps, **job.progress}  # a job that has not run yet has none
    check_order(edit, pending, progress)
    series = _evaluated_series(session, job, spec)
    problems = trigger_problems(edit.at, progress, series, not pending, _has_validation(job))
    if problems := [*problems, *length_problems(edit, progress)]:
        raise InvalidInput(problems)
    return ground


def _spent_rules(session: Session, job: JobRow, spec: JobSpec) -> tuple[int, ...]:
    """Return the places of the rules of `training.edits` that have made all their edits."""
    rules = spec.training.edits
    if not rules:
        return ()
    fired = {row.rule: row.firing or 0 for row in revisions.current_line(session, job).edits()}
    limits = ((place, rule.limit) for place, rule in enumerate(rules))
    return tuple(place for place, limit in limits if limit is not None and fired.get(place, 0) >= limit)


def _evaluated_series(session: Session, job: JobRow, spec: JobSpec) -> list[str]:
    """Return the series of which evaluations give values: not those of single steps, such as train/lr."""
    recorded = (name for name in curves.series_names(session, job.id) if name.startswith("val/"))
    minimised = spec.training.minimised_heads(spec.objective.all_heads())
    return sorted({*spec.objective.series_names(minimised, spec.training.evaluate.train), *recorded})


def _stale_revision(job: JobRow, ground: Ground, edit: Edit) -> StaleRevision:
    detail = f"the job is at revision {ground.revision}, and the edit was written for {edit.expect_revision}"
    hint = f"look at GET /v1/jobs/{job.id}/network/diff, and write it for revision {ground.next_revision}"
    if ground.pending:
        detail += f"; the edits that wait make revision {ground.next_revision} first"
        hint = f"look at GET /v1/jobs/{job.id}/edits, and write it for revision {ground.next_revision}"
    return StaleRevision(detail, pointer="/expect_revision", hint=hint)


def _has_validation(job: JobRow) -> bool:
    return (job.inspection.get("splits") or {}).get("validation") is not None


def check_active(job: JobRow) -> None:
    """Raise `InvalidState` for a job that has ended, or is about to."""
    if job.status in TERMINAL_STATUSES:
        raise InvalidState(f"the job has ended ({job.status}), and is not changed any more", hint=FORK_HINT)
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
