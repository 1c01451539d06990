"""Labels of jobs, their `metadata`, in a table of their own, where an index finds the jobs that have one.

Beside each label stands the job's status, so that one index finds the jobs with a label and a status.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, case, select, update
from sqlalchemy.orm import Session

from app.db.tables import JobRow, LabelRow

DELETED = "deleted"  # in place of the status, while a job is hidden


def insert(session: Session, job: JobRow) -> None:
    """Store the labels of a new job."""
    for key, value in job.labels.items():
        session.add(LabelRow(job_id=job.id, key=key, value=value, owner=job.owner, status=job.status))
    session.flush()


def refresh(session: Session, job_ids: Sequence[str]) -> None:
    """Note the status of jobs, after it has changed, or they were hidden or restored."""
    status = select(_label_status()).where(JobRow.id == LabelRow.job_id).scalar_subquery()
    session.execute(
        update(LabelRow)
        .where(LabelRow.job_id.in_(job_ids))
        .values(status=status)
        .execution_options(synchronize_session=False)
    )


def _label_status() -> ColumnElement[str]:
    return case((JobRow.deleted_at.is_(None), JobRow.status), else_=DELETED)
