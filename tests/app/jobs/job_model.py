"""What a job ought to be, for a test that makes up its life."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from app.db.tables import IdempotencyRow, JobRow
from app.jobs.states import TERMINAL_STATUSES, TRANSITIONS, Status, Verb
from workers.protocol.messages import ProgressReport, SeriesPoints


@dataclass
class Model:
    """What a job ought to be."""

    status: Status = Status.QUEUED
    fence: int = 0
    wish: str | None = None
    losses: int = 0
    steps: int = 0  # points of the loss
    saved: list[int] = field(default_factory=list)  # steps of the listed checkpoints, in order

    def end(self, verb: Verb) -> None:
        self.status = TRANSITIONS[verb][1]
        if self.status in TERMINAL_STATUSES or verb == Verb.PAUSE:
            self.wish = None


def is_forbidden(verb: str, status: Status, wish: str | None) -> bool:
    if verb == "retry":
        return status not in (Status.FAILED, Status.CANCELLED)
    if verb == "cancel":
        return status in TERMINAL_STATUSES and status != Status.CANCELLED
    return status in TERMINAL_STATUSES or wish == "cancel"


def loss_points(after: int, count: int) -> ProgressReport:
    steps = list(range(after + 1, after + 1 + count))
    times = [float(step) for step in steps]
    return ProgressReport(progress={"step": steps[-1]}, series={"train/loss": SeriesPoints(steps, times, times, times)})


def update_job(session: Session, job_id: str, values: dict[str, Any]) -> None:
    session.execute(update(JobRow).where(JobRow.id == job_id).values(**values))


def end_backoff(session: Session) -> None:
    """Backoff is not waited for."""
    session.execute(update(JobRow).values(not_before=0.0))


def clear_jobs(session: Session) -> None:
    session.execute(delete(JobRow))
    session.execute(delete(IdempotencyRow))


def job_rows(session: Session) -> dict[str, tuple[str, int, str | None, int]]:
    return {row.id: (row.status, row.fence, row.wish, row.attempts) for row in session.query(JobRow)}
