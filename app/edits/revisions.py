"""The revisions of a job: the document of each, and the line of checkpoints that leads to the current one.

Revision 1 is the spec. An edit makes the next revision of the current one; a rollback makes one whose document is that
of an earlier checkpoint. So revisions are a tree, whose leaves but one are abandoned.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.db.tables import CheckpointRow, EditRow, JobRow
from app.edits import repository
from app.errors import NotFound

FIRST_REVISION = 1
Json = Mapping[str, Any]


def document_at(session: Session, job: JobRow, revision: int) -> dict[str, Any]:
    """Return the whole spec of a revision. Raises `NotFound` for one that the job does not have."""
    if revision == FIRST_REVISION:
        return job.spec
    if not FIRST_REVISION <= revision <= job.revision:
        raise NotFound(f"{job.id} has no revision {revision}: it is at revision {job.revision}")
    document = repository.find_revision(session, job.id, revision).document
    if document is None:
        raise NotFound(f"revision {revision} of {job.id} has no document")
    return document


def current_document(session: Session, job: JobRow) -> dict[str, Any]:
    """Return the whole spec as edits have left it."""
    return document_at(session, job, job.revision)


def inspection_at(session: Session, job: JobRow, revision: int) -> Json | None:
    """Return the inspection of a revision; `None` for one that a plan has made, and that nobody has asked for yet.

    Raises `NotFound` for one that the job does not have.
    """
    if revision == FIRST_REVISION:
        return job.inspection
    document_at(session, job, revision)
    return repository.find_revision(session, job.id, revision).inspection


def checkpoint_document(session: Session, job: JobRow, checkpoint: CheckpointRow) -> dict[str, Any]:
    """Return the whole spec by which a checkpoint was trained: its network is the one that the weights fit."""
    return document_at(session, job, checkpoint.revision)


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of a line that was trained under one revision. `until` is the last step that counts, `None`: no end."""

    revision: int
    until: int | None
    edit: EditRow | None  # that began it; `None` for the spec

    def holds(self, checkpoint: CheckpointRow) -> bool:
        """Return whether a checkpoint lies on this part of the line."""
        return checkpoint.revision == self.revision and (self.until is None or checkpoint.step <= self.until)


@dataclass(frozen=True, slots=True)
class Line:
    """How a revision came about: its segments, the newest first."""

    segments: tuple[Segment, ...]

    def holds(self, checkpoint: CheckpointRow) -> bool:
        """Return whether a checkpoint lies on the line."""
        return any(segment.holds(checkpoint) for segment in self.segments)

    def edits(self) -> list[EditRow]:
        """Return the edits and rollbacks that led to the revision, oldest first."""
        return [segment.edit for segment in reversed(self.segments) if segment.edit is not None]

    def revision_at(self, step: int) -> int:
        """Return the revision that was the current one when the line came to a step."""
        return next(
            (each.revision for each in self.segments if each.edit is not None and (each.edit.step or 0) <= step),
            self.segments[-1].revision,
        )


def current_line(session: Session, job: JobRow) -> Line:
    """Return how the current revision came about."""
    return trace_line(job.revision, repository.applied(session, job.id) if job.revision > FIRST_REVISION else ())


def trace_line(revision: int, applied: Iterable[EditRow]) -> Line:
    """Return how a revision came about, from the edits and rollbacks of the job that made one."""
    by_revision = {row.revision: row for row in applied}
    segments: list[Segment] = []
    until: int | None = None
    while (row := by_revision.get(revision)) is not None:
        segments.append(Segment(revision, until, row))
        step = row.step or 0
        until = step if until is None else min(until, step)
        revision = row.parent or FIRST_REVISION
    segments.append(Segment(revision, until, None))
    return Line(tuple(segments))


def same_network(session: Session, job: JobRow) -> set[int]:
    """Return the revisions of the current line that have the current network."""
    if job.revision == FIRST_REVISION:
        return {FIRST_REVISION}
    network, line = current_document(session, job)["model"], current_line(session, job)
    numbers = [segment.revision for segment in line.segments]
    return {number for number in numbers if document_at(session, job, number)["model"] == network}
