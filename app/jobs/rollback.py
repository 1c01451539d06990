"""Rolling back: a job goes on from a checkpoint of an earlier revision, as a new revision. Nothing is deleted."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app import checkpoints, curves, events, statistics
from app.db.tables import CheckpointRow, EditRow, JobRow, now
from app.edits import outcomes, repository, revisions
from app.edits.acceptance import check_active
from app.edits.states import EditOrigin, EditState
from app.errors import InvalidInput, Problem
from app.events import EventKind
from app.jobs import repository as jobs
from app.jobs.states import Status, Verb
from app.spec.edits.rollback import Rollback


def roll_back(session: Session, owner: str, job_id: str, rollback: Rollback, key_id: str) -> EditRow:
    """Let a job go on from a checkpoint: at once, whatever its attempt is doing, which is ended without a checkpoint.

    Edits that wait are withdrawn: they were checked against the revision that is left. Returns the edit that begins the
    new revision. Raises `NotFound`, `InvalidState` for a job that has ended, and `InvalidInput` if no such checkpoint
    is listed.
    """
    job = jobs.find_for_update(session, owner, job_id)
    check_active(job)
    base = _select_base(checkpoints.list_checkpoints(session, job_id), rollback, job.revision)
    for waiting in repository.pending(session, job_id):
        outcomes.record_withdrawn(session, job, waiting.number, [outcomes.ROLLED_BACK])
    row = _insert(session, job, base, rollback.comment, key_id)
    curves.rewind(session, job_id, base.step)
    statistics.rewind(session, job_id, base.step)
    data = {"edit": row.number, "revision": row.revision, "to": base.revision}
    events.append(session, job_id, EventKind.ROLLED_BACK, data | {"step": base.step, "checkpoint": base.id}, job.fence)
    job.revision = row.revision or job.revision
    job.progress = job.progress | {"step": base.step, "epoch": base.epoch}
    session.flush()
    _stop_attempt(session, job)
    return row


def _select_base(rows: Sequence[CheckpointRow], rollback: Rollback, current: int) -> CheckpointRow:
    """Return the newest checkpoint of a revision, or that of a step. Raises `InvalidInput`."""
    if not revisions.FIRST_REVISION <= rollback.revision <= current:
        detail = f"the job has no revision {rollback.revision}: it is at revision {current}"
        raise InvalidInput([Problem("/revision", "unknown_revision", detail, f"one of 1 to {current}")])
    of_revision = [row for row in rows if row.revision == rollback.revision]
    base = next((row for row in of_revision if rollback.step in (None, row.step)), None)
    if base is not None:
        return base
    steps = ", ".join(str(row.step) for row in of_revision)
    if rollback.step is not None:
        detail = f"revision {rollback.revision} has no checkpoint of step {rollback.step}"
        raise InvalidInput([Problem("/step", "unknown_checkpoint", detail, f"kept are: {steps or 'none'}")])
    listed = ", ".join(sorted({str(row.revision) for row in rows})) or "none"
    detail = f"revision {rollback.revision} has no checkpoint any more, or none yet"
    raise InvalidInput([Problem("/revision", "unknown_checkpoint", detail, f"revisions that have one: {listed}")])


def _insert(session: Session, job: JobRow, base: CheckpointRow, comment: str, key_id: str) -> EditRow:
    before = repository.find_revision(session, job.id, base.revision) if base.revision > 1 else None
    return repository.insert(
        session,
        job,
        state=EditState.APPLIED,
        origin=EditOrigin.ROLLBACK,
        at="now",
        operations=[],
        comment=comment,
        key_id=key_id,
        step=base.step,
        revision=job.revision + 1,
        parent=base.revision,
        document=revisions.checkpoint_document(session, job, base),
        inspection=before.inspection if before is not None else dict(job.inspection),
        base=base.id,
        ended_at=now(),
    )


def _stop_attempt(session: Session, job: JobRow) -> None:
    """Take a running job from its attempt, whose next write is refused: the worker then ends it."""
    if job.status != Status.RUNNING:
        return
    values = jobs.requeued_values() | {"wish": None, "attempts": 0}
    verb = Verb.PAUSE if job.wish == "pause" else Verb.ROLL_BACK
    jobs.transition(session, job.id, verb, held=job.fence, **values)
