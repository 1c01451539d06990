"""Checkpoints: a row each, which is their commit point. Files without a row do not exist."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, delete, or_, select, update
from sqlalchemy.orm import Session

from app.db.session import Database
from app.db.tables import CheckpointRow, JobRow, now
from app.edits import repository, revisions
from app.errors import NotFound
from app.jobs.states import TERMINAL_STATUSES
from app.spec.training.checkpointing import Checkpointing
from app.storage.protocol import FileRecord

Mode = Literal["min", "max"]
READ_GRACE_SECONDS = 3600.0  # after the last request for its files, in which a checkpoint is not removed
TOUCH_INTERVAL_SECONDS = 60.0  # between two notes of it
KEPT_REVISIONS = 10  # the last revisions of a job of which one checkpoint stays, to go back to or to fork


@dataclass(frozen=True, slots=True)
class RemovedCheckpoint:
    """A checkpoint whose row is gone."""

    job_id: str
    id: str
    paths: tuple[str, ...]  # of the files that no other checkpoint lists


def add(
    session: Session,
    job_id: str,
    fence: int,
    *,
    id: str,
    step: int,
    epoch: float,
    values: Mapping[str, Any],
    files: Sequence[Mapping[str, Any]],
    final: bool = False,
    revision: int = revisions.FIRST_REVISION,
) -> CheckpointRow:
    """List a checkpoint whose files are durable. Listing it twice changes nothing, and a job has one final one.

    `values` are the series' values at this step; `files` holds {name, path, size, sha256, public}.
    """
    row = session.get(CheckpointRow, id)
    if row is None:
        if final:  # there is another if an attempt died before it could say that it had come to the end
            earlier = update(CheckpointRow).where(CheckpointRow.job_id == job_id, CheckpointRow.final)
            session.execute(earlier.values(final=False))
        row = CheckpointRow(
            id=id,
            job_id=job_id,
            fence=fence,
            step=step,
            revision=revision,
            epoch=epoch,
            values=dict(values),
            files=[dict(file) for file in files],
            final=final,
            size=sum(file.get("size", 0) for file in files),
        )
        session.add(row)
        session.flush()
    return row


def list_checkpoints(session: Session, job_id: str) -> list[CheckpointRow]:
    """Return the job's checkpoints, newest first: those of a later attempt before those of an earlier one.

    Of two at a step, before and after an edit, the one after it comes first.
    """
    newest = (CheckpointRow.fence.desc(), CheckpointRow.step.desc(), CheckpointRow.id.desc())
    return list(session.scalars(select(CheckpointRow).where(CheckpointRow.job_id == job_id).order_by(*newest)))


def line_checkpoints(session: Session, job: JobRow) -> list[CheckpointRow]:
    """Return the checkpoints from which the job can go on, newest first.

    Those that a rollback has left behind are not among them, see `app.edits.revisions`.
    """
    line = revisions.current_line(session, job)
    return [row for row in list_checkpoints(session, job.id) if line.holds(row)]


def latest(session: Session, job: JobRow) -> CheckpointRow | None:
    """Return the newest checkpoint from which the job goes on; `None` if there is none yet."""
    return next(iter(line_checkpoints(session, job)), None)


def find(session: Session, owner: str, checkpoint_id: str) -> CheckpointRow:
    """Return a checkpoint of one of the owner's jobs; raises `NotFound` for any other."""
    row = session.scalar(
        select(CheckpointRow)
        .join(JobRow)
        .where(CheckpointRow.id == checkpoint_id, JobRow.owner == owner, JobRow.deleted_at.is_(None))
    )
    if row is None:
        raise NotFound(f"there is no checkpoint {checkpoint_id}")
    return row


def acquire_for_reading(db: Database, choose: Callable[[Session], CheckpointRow]) -> CheckpointRow:
    """Return the checkpoint that `choose` finds, which stays for `READ_GRACE_SECONDS`, so that its files can be read.

    Chooses again if it was removed in between. Raises what `choose` raises.
    """
    while True:
        row = db.read(choose)
        if db.read(_is_recently_touched, row.id) or db.run(_touch, row.id):
            return row


def _is_recently_touched(session: Session, checkpoint_id: str) -> bool:
    noted = select(CheckpointRow.id).where(CheckpointRow.id == checkpoint_id, ~_not_read_within(TOUCH_INTERVAL_SECONDS))
    return session.scalar(noted) is not None


def _touch(session: Session, checkpoint_id: str) -> bool:
    """Record a read of the files; return whether the checkpoint still exists."""
    note = update(CheckpointRow).where(CheckpointRow.id == checkpoint_id).values(read_at=now())
    noted = note.returning(CheckpointRow.id).execution_options(synchronize_session=False)
    return session.scalar(noted) is not None


def _not_read_within(seconds: float) -> ColumnElement[bool]:
    return or_(CheckpointRow.read_at.is_(None), CheckpointRow.read_at < now() - seconds)


def find_document(session: Session, owner: str, checkpoint_id: str) -> dict[str, Any]:
    """Return the whole spec by which a checkpoint of the owner's was trained; raises `NotFound` for any other."""
    row = find(session, owner, checkpoint_id)
    return revisions.checkpoint_document(session, session.get_one(JobRow, row.job_id), row)


def pin(session: Session, owner: str, checkpoint_id: str) -> dict[str, Any]:
    """Return what `find_document` does, and lock the job: until the transaction ends, the checkpoint stays."""
    session.get(JobRow, find(session, owner, checkpoint_id).job_id, with_for_update=True, populate_existing=True)
    return find_document(session, owner, checkpoint_id)  # it may have been removed before the lock was had


def referenced_ids(session: Session, job_id: str) -> set[str]:
    """Return the job's checkpoints from which jobs of its owner start that have not ended."""
    mine = select(CheckpointRow.id).where(CheckpointRow.job_id == job_id, CheckpointRow.id.in_(referenced_ids_query()))
    return set(session.scalars(mine))


def referenced_ids_query() -> Select[str]:
    """Return the query for the checkpoints from which jobs start that have not ended."""
    checkpoint_id = JobRow.spec["start_from"]["checkpoint"].as_string()
    return select(checkpoint_id).where(JobRow.status.not_in(TERMINAL_STATUSES), checkpoint_id.is_not(None))


def public_files(row: CheckpointRow) -> dict[str, FileRecord]:
    """Return the files that users may download, by name: {name, path, size, sha256, public}."""
    return {file["name"]: file for file in row.files if file["public"]}


def checkpoint_plan(session: Session, job: JobRow) -> Checkpointing:
    """Return when the job's checkpoints are taken and which are kept, by its current revision."""
    training = revisions.current_document(session, job).get("training") or {}
    return Checkpointing.model_validate(training.get("checkpoint") or {})


def best_by_plan(session: Session, job: JobRow, file: str | None = None) -> CheckpointRow | None:
    """Return the best checkpoint by the monitor of the job's plan, or the newest; see `best_or_latest`."""
    plan = checkpoint_plan(session, job)
    return best_or_latest(session, job.id, plan.monitor, plan.mode, file)


def best_or_latest(
    session: Session, job_id: str, monitor: str, mode: Mode, file: str | None = None
) -> CheckpointRow | None:
    """Return the best checkpoint of the current network, or where nothing was evaluated the newest; `None` for none.

    Another network, which an edit has changed since, is not what the job has become. With `file` only those count that
    have such a file.
    """
    job = session.get_one(JobRow, job_id)
    same_network = revisions.same_network(session, job)
    rows = [
        row for row in line_checkpoints(session, job) if file is None or file in (each["name"] for each in row.files)
    ]
    comparable = [row for row in rows if row.revision in same_network]
    return next(iter([*_sort_by_metric(comparable, monitor, mode), *rows]), None)


def prunable_checkpoints(
    session: Session, job_id: str, keep_last: int, keep_best: int, monitor: str, mode: Mode
) -> list[CheckpointRow]:
    """Return the checkpoints that are superfluous.

    Those stay that are among the newest or the best, of all revisions and of the current network, the final one, those
    that another job or a rollback needs, and the newest of each of the last `KEPT_REVISIONS` revisions.
    """
    job, rows = session.get_one(JobRow, job_id), list_checkpoints(session, job_id)
    kept = {row.id for row in rows[:keep_last] + _sort_by_metric(rows, monitor, mode)[:keep_best]}
    kept |= referenced_ids(session, job_id)
    if job.revision > revisions.FIRST_REVISION:
        same_network = revisions.same_network(session, job)
        comparable = [row for row in line_checkpoints(session, job) if row.revision in same_network]
        kept |= {row.id for row in _sort_by_metric(comparable, monitor, mode)[:keep_best]}
        kept |= repository.rollback_bases(session, job_id) | _newest_by_revision(rows)
    return [row for row in rows if row.id not in kept and not row.final]


def _newest_by_revision(rows: Sequence[CheckpointRow]) -> set[str]:
    """Return the newest checkpoint of each of the last revisions that have any; `rows` are sorted, newest first."""
    newest: dict[int, str] = {}
    for row in rows:
        newest.setdefault(row.revision, row.id)
    return {newest[revision] for revision in sorted(newest)[-KEPT_REVISIONS:]}


def remove(session: Session, rows: Sequence[CheckpointRow]) -> list[RemovedCheckpoint]:
    """Delete the rows of checkpoints that were not read recently, and return them: the caller removes their files after
    the commit. A file that another checkpoint of the job lists too stays with that one.
    """
    unread = delete(CheckpointRow).where(
        CheckpointRow.id.in_([row.id for row in rows]), _not_read_within(READ_GRACE_SECONDS)
    )
    gone = set(session.scalars(unread.returning(CheckpointRow.id).execution_options(synchronize_session=False)))
    jobs = {row.job_id for row in rows if row.id in gone}
    left = session.scalars(select(CheckpointRow.files).where(CheckpointRow.job_id.in_(jobs)))
    listed = {file["path"] for files in left for file in files}
    return [
        RemovedCheckpoint(row.job_id, row.id, tuple(file["path"] for file in row.files if file["path"] not in listed))
        for row in rows
        if row.id in gone
    ]


def _sort_by_metric(rows: Sequence[CheckpointRow], monitor: str, mode: Mode) -> list[CheckpointRow]:
    """Sort the rows that have a finite value of the monitored series, best first."""
    sign = 1.0 if mode == "min" else -1.0
    values = {row.id: row.values.get(monitor) for row in rows}
    keys = {
        id_: sign * value for id_, value in values.items() if isinstance(value, int | float) and math.isfinite(value)
    }
    return sorted((row for row in rows if row.id in keys), key=lambda row: (keys[row.id], row.step, row.id))
