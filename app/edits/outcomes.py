"""How edits end: withdrawn by their user, applied or rejected by an attempt. The caller has locked the job's row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app import events
from app.db.tables import EditRow, JobRow, now
from app.edits import repository, revisions
from app.edits.states import EditOrigin, EditState, EditVerb
from app.errors import Conflict, InvalidState, Problem
from app.events import EventKind
from app.jobs.states import Status

JOB_ENDED = Problem("", "job_ended", "the job ended before the edit's trigger came", "fork the job")
ROLLED_BACK = Problem("", "rolled_back", "the job went back to an earlier revision", "send it again, for that one")

Json = Mapping[str, Any]


class EditDiverged(Conflict):
    """An attempt has applied an edit otherwise than an earlier one."""

    code = "edit_diverged"


@dataclass(frozen=True, slots=True)
class Application:
    """How an attempt has applied an edit."""

    step: int
    revision: int  # that began with it
    document: Json
    choices: Mapping[int, Sequence[int]]  # by place of the operation
    details: Json  # for the event


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of a job's plan that has made an edit, and which time it was."""

    place: int
    firing: int
    operations: Sequence[Json] = ()


def withdraw(session: Session, job: JobRow, number: int) -> EditRow:
    """Take back an edit that waits: at once, or if the job is running as soon as its attempt agrees.

    One that is withdrawn already stays so. Raises `NotFound`, and `InvalidState` for one that was applied or rejected,
    or that others stand behind.
    """
    row = repository.find(session, job.id, number)
    if row.state == EditState.WITHDRAWN:
        return row
    if row.state != EditState.ACCEPTED:
        raise InvalidState(f"edit {number} is {row.state}: too late to withdraw it", hint="roll back, or edit again")
    waiting = repository.pending(session, job.id)
    later = [str(each.number) for each in waiting if each.number > number and not each.withdraw_requested]
    if later:
        hint = "withdraw those first, the last one first"
        raise InvalidState(f"edits behind it were checked with it: {', '.join(later)}", hint=hint)
    if job.status == Status.RUNNING:
        row.withdraw_requested = True
        session.flush()
        repository.count_change(session, job.id)
    else:
        record_withdrawn(session, job, number)
    return row


def record_withdrawn(session: Session, job: JobRow, number: int, problems: Sequence[Problem] = ()) -> None:
    """Record that an edit will not be applied. Recording it twice changes nothing."""
    row = repository.find(session, job.id, number)
    if row.state == EditState.WITHDRAWN:
        return
    listed = [problem.as_dict() for problem in problems] or None
    repository.transition(session, row, EditVerb.WITHDRAW, problems=listed)
    repository.count_change(session, job.id)
    events.append(session, job.id, EventKind.EDIT_WITHDRAWN, {"edit": number}, job.fence)


def record_rejected(session: Session, job: JobRow, number: int, problems: Sequence[Json]) -> None:
    """Record that an edit could not be applied. Recording it twice changes nothing."""
    row = repository.find(session, job.id, number)
    if row.state == EditState.REJECTED:
        return
    repository.transition(session, row, EditVerb.REJECT, problems=[dict(problem) for problem in problems])
    _log_rejection(session, job, row)


def end_attempt(session: Session, job: JobRow, ended: bool) -> None:
    """Settle what waits when no attempt runs any more: what is to be withdrawn is, and if the job has ended all else
    is rejected.
    """
    for row in repository.pending(session, job.id):
        if row.withdraw_requested:
            record_withdrawn(session, job, row.number)
        elif ended:
            record_rejected(session, job, row.number, [JOB_ENDED.as_dict()])


def record_applied(session: Session, job: JobRow, number: int, applied: Application) -> None:
    """Record that the attempt has applied an edit before a step: the job is at the next revision.

    Recording it again, by an attempt that began at an earlier checkpoint, changes nothing. Raises `EditDiverged` if it
    differs from what was recorded before.
    """
    row = repository.find(session, job.id, number)
    if row.state == EditState.APPLIED:
        if (row.step, row.revision) != (applied.step, applied.revision):
            raise EditDiverged(
                f"edit {number} made revision {row.revision} at step {row.step},"
                f" and now {applied.revision} at step {applied.step}"
            )
        return
    values = _revision_values(session, job, applied)
    repository.transition(session, row, EditVerb.APPLY, **values)
    _advance(session, job, row, applied)


def record_plan_applied(session: Session, job: JobRow, rule: Rule, applied: Application) -> None:
    """Record an edit that a rule of the job's plan has made and applied; as `record_applied` does."""
    line = revisions.current_line(session, job)
    for row in line.edits():
        if (row.rule, row.firing, row.step) == (rule.place, rule.firing, applied.step):
            return
    values = _revision_values(session, job, applied)
    row = repository.insert(session, job, state=EditState.APPLIED, ended_at=now(), **_plan_values(rule), **values)
    _advance(session, job, row, applied)


def record_plan_rejected(session: Session, job: JobRow, rule: Rule, step: int, problems: Sequence[Json]) -> None:
    """Record an edit that a rule of the job's plan has made, and that could not be applied; once."""
    if repository.find_firing(session, job.id, rule.place, rule.firing, step) is not None:
        return
    values = _plan_values(rule) | {"step": step, "problems": [dict(problem) for problem in problems]}
    row = repository.insert(session, job, state=EditState.REJECTED, ended_at=now(), **values)
    _log_rejection(session, job, row)


def _plan_values(rule: Rule) -> dict[str, Any]:
    operations = [dict(operation) for operation in rule.operations]
    return {"origin": EditOrigin.PLAN, "at": "now", "operations": operations, "rule": rule.place, "firing": rule.firing}


def _revision_values(session: Session, job: JobRow, applied: Application) -> dict[str, Any]:
    """Return the columns of an edit that makes the next revision, of the one that its step belongs to."""
    if applied.revision != job.revision + 1:
        raise EditDiverged(f"an edit made revision {applied.revision}, and the job is at revision {job.revision}")
    return {
        "step": applied.step,
        "revision": applied.revision,
        "parent": revisions.current_line(session, job).revision_at(applied.step),
        "document": dict(applied.document),
        "choices": {str(place): list(chosen) for place, chosen in applied.choices.items()},
    }


def _advance(session: Session, job: JobRow, row: EditRow, applied: Application) -> None:
    job.revision = applied.revision
    session.flush()
    data = {"edit": row.number, "step": applied.step, "revision": applied.revision}
    events.append(session, job.id, EventKind.EDIT_APPLIED, data | dict(applied.details), job.fence)


def _log_rejection(session: Session, job: JobRow, row: EditRow) -> None:
    events.append(session, job.id, EventKind.EDIT_REJECTED, {"edit": row.number, "problems": row.problems}, job.fence)
