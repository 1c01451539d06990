"""Checkpoints. A row is the commit point: files without a row do not exist."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.tables import CheckpointRow, JobRow
from app.errors import NotFound


def add(
    session: Session,
    job_id: str,
    fence: int,
    *,
    id: str,
    step: int,
    epoch: float,
    values: Mapping[str, float],
    files: Sequence[Mapping[str, Any]],
    final: bool = False,
) -> CheckpointRow:
    """List a checkpoint; one that is listed already stays as it is."""
    row = session.get(CheckpointRow, id)
    if row is not None:
        return row
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    row = CheckpointRow(id=id, job_id=job_id, fence=fence, step=step, epoch=epoch, values=finite,
                        files=[dict(file) for file in files], final=final)  # fmt: skip
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def listed(session: Session, job_id: str) -> list[CheckpointRow]:
    """Return the job's checkpoints, newest first."""
    query = select(CheckpointRow).where(CheckpointRow.job_id == job_id)
    return list(session.scalars(query.order_by(CheckpointRow.step.desc(), CheckpointRow.id.desc())))


def find(session: Session, owner: str, checkpoint_id: str) -> CheckpointRow:
    """Return the owner's checkpoint; raises `NotFound`."""
    query = select(CheckpointRow).join(JobRow).where(CheckpointRow.id == checkpoint_id, JobRow.owner == owner)
    row = session.scalar(query)
    if row is None:
        raise NotFound(f"there is no checkpoint {checkpoint_id}")
    return row


def best(session: Session, job_id: str, monitor: str, mode: str) -> CheckpointRow | None:
    """Return the checkpoint with the best value of the series, the newest of equals; `None` if none has one."""
    ranked = _ranked(listed(session, job_id), monitor, mode)
    return ranked[0] if ranked else None


def surplus(
    session: Session, job_id: str, keep_last: int, keep_best: int, monitor: str, mode: str
) -> list[CheckpointRow]:
    """Return the checkpoints that the plan no longer keeps; a final one is always kept."""
    rows = listed(session, job_id)
    kept = {row.id for row in (*rows[:keep_last], *_ranked(rows, monitor, mode)[:keep_best])}
    return [row for row in rows if row.id not in kept and not row.final]


def remove(session: Session, rows: Sequence[CheckpointRow]) -> None:
    """Take checkpoints off the list. Their files are deleted after the commit."""
    ids = [row.id for row in rows]
    session.execute(delete(CheckpointRow).where(CheckpointRow.id.in_(ids)).execution_options(synchronize_session=False))


def _ranked(rows: Sequence[CheckpointRow], monitor: str, mode: str) -> list[CheckpointRow]:
    """Sort by the monitored value, best first; `rows` come newest first, and sorting is stable."""
    return sorted((row for row in rows if monitor in row.values), key=lambda row: row.values[monitor],
                  reverse=mode == "max")  # fmt: skip
