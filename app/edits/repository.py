"""All SQL on edits. Every function takes an open session and never commits; who writes has locked the job."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, defer

from app.db.tables import EditRow, JobRow, now
from app.edits.states import TRANSITIONS, EditOrigin, EditState, EditVerb
from app.errors import InvalidState, NotFound


def insert(session: Session, job: JobRow, **values: Any) -> EditRow:
    """Insert an edit of a locked job under the next number."""
    row = EditRow(job_id=job.id, number=next_number(session, job.id), **values)
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def next_number(session: Session, job_id: str) -> int:
    """Return the number of the next edit."""
    return (session.scalar(select(func.max(EditRow.number)).where(EditRow.job_id == job_id)) or 0) + 1


def find(session: Session, job_id: str, number: int) -> EditRow:
    """Return an edit as it is now. Raises `NotFound`."""
    row = session.get(EditRow, (job_id, number), populate_existing=True)
    if row is None:
        raise NotFound(f"{job_id} has no edit {number}")
    return row


def page(session: Session, job_id: str, after: int, limit: int) -> Sequence[EditRow]:
    """Return up to `limit` edits with numbers above `after`, oldest first."""
    query = select(EditRow).where(EditRow.job_id == job_id, EditRow.number > after)
    return session.scalars(query.order_by(EditRow.number).limit(limit)).all()


def pending(session: Session, job_id: str) -> Sequence[EditRow]:
    """Return the edits that wait for their trigger, in the order in which they will be applied."""
    query = select(EditRow).where(EditRow.job_id == job_id, EditRow.state == EditState.ACCEPTED)
    return session.scalars(query.options(defer(EditRow.inspection)).order_by(EditRow.number)).all()


def applied(session: Session, job_id: str) -> Sequence[EditRow]:
    """Return the edits that have made a revision, rollbacks among them, oldest first."""
    query = select(EditRow).where(EditRow.job_id == job_id, EditRow.revision.is_not(None))
    query = query.options(defer(EditRow.document), defer(EditRow.inspection))  # which are long
    return session.scalars(query.order_by(EditRow.revision)).all()


def find_revision(session: Session, job_id: str, revision: int) -> EditRow:
    """Return the edit that made a revision, which is not the first. Raises `NotFound`."""
    row = session.scalar(select(EditRow).where(EditRow.job_id == job_id, EditRow.revision == revision))
    if row is None:
        raise NotFound(f"{job_id} has no revision {revision}")
    return row


def set_inspection(session: Session, job_id: str, revision: int, inspection: Mapping[str, Any]) -> None:
    """Store the inspection of a revision that a plan has made."""
    session.execute(
        update(EditRow)
        .where(EditRow.job_id == job_id, EditRow.revision == revision)
        .values(inspection=dict(inspection))
        .execution_options(synchronize_session=False)
    )


def rollback_bases(session: Session, job_id: str) -> set[str]:
    """Return the checkpoints to which rollbacks of the job have gone back."""
    query = select(EditRow.base).where(EditRow.job_id == job_id, EditRow.origin == EditOrigin.ROLLBACK)
    return {base for base in session.scalars(query) if base is not None}


def transition(session: Session, row: EditRow, verb: EditVerb, **values: Any) -> None:
    """Carry out one transition: a guarded update. Raises `InvalidState` where the state does not allow it."""
    sources, target = TRANSITIONS[verb]
    statement = (
        update(EditRow)
        .where(EditRow.job_id == row.job_id, EditRow.number == row.number, EditRow.state.in_(sources))
        .values(state=target, ended_at=now(), **values)
        .execution_options(synchronize_session=False)
    )
    if session.execute(statement).rowcount != 1:  # type: ignore[attr-defined]
        raise InvalidState(f"edit {row.number} is {row.state}: too late to {verb} it")
    session.refresh(row)


def find_firing(session: Session, job_id: str, rule: int, firing: int, step: int) -> EditRow | None:
    """Return the edit that a rule of the job's plan has made at a step, if there is one."""
    same = (EditRow.rule == rule, EditRow.firing == firing, EditRow.step == step)
    return session.scalar(select(EditRow).where(EditRow.job_id == job_id, *same).limit(1))


def count_change(session: Session, job_id: str) -> None:
    """Count a change of the edits that wait, by which a running attempt's worker knows to look at them."""
    session.execute(
        update(JobRow)
        .where(JobRow.id == job_id)
        .values(edit_changes=JobRow.edit_changes + 1, version=JobRow.version + 1)
        .execution_options(synchronize_session=False)
    )
