"""The events of a job: one row each, numbered without gaps."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, insert, literal_column, select, update
from sqlalchemy.orm import Session

from app.db.tables import EventRow, JobRow, now, table_of
from app.webhooks.outbox import enqueue_event

_JOBS = table_of(JobRow)
_NEXT_NUMBER = (
    update(_JOBS)
    .where(_JOBS.c.id == bindparam("job_id"))
    .values(last_seq=_JOBS.c.last_seq + 1, version=_JOBS.c.version + 1, updated_at=now())
    .returning(_JOBS.c.last_seq)
)
_INSERT = insert(table_of(EventRow))


class EventKind(StrEnum):
    """The kinds of events."""

    CREATED = "created"
    """The job was accepted."""
    STATUS = "status"
    """A transition: data {verb, from, to, worker?, error?}."""
    PHASE = "phase"
    """The attempt entered a phase: data {phase}."""
    WISH = "wish"
    """The user requested to cancel or pause, or withdrew the request: data {wish}."""
    METRICS = "metrics"
    """New points: data {series: {name: [first index, last index + 1]}, progress, statistics?: last sampled step}."""
    REWOUND = "rewound"
    """Points after the resumed checkpoint were dropped: data {step}."""
    CHECKPOINT = "checkpoint"
    """A checkpoint is listed: data {id, step}."""
    SPLIT = "split"
    """The rows were divided: data {train, validation, test}, the number of rows of each role that there is."""
    VOCABULARY = "vocabulary"
    """A tokenizer was trained: data {feature, tokens, train: {unknown, cut}, validation: {unknown, cut} or null}, of
    which unknown is the share of tokens and cut that of rows that lost their end."""
    VECTORS = "vectors"
    """Pretrained vectors were put into an Embedding: data {feature, into, tokens, found, occurrences}, of which found
    counts the tokens that have one, and occurrences is their share of the training rows' tokens."""
    INITIAL_WEIGHTS = "initial_weights"
    """Weights were taken from elsewhere: data {from, taken, begun_anew, left_out, partial, names: {begun_anew,
    left_out}}: counts of tensors, the first hundred names of either side, and parts of the network of which some
    tensors were taken, and others begin anew; `from` is a checkpoint, a data set or a file."""
    EARLY_STOP = "early_stop"
    """Training stopped because the monitored value no longer improves: data {step, best}."""
    SKIPPED_STEP = "skipped_step"
    """A step with a loss that is not finite was skipped: data {step}."""
    EDIT_ACCEPTED = "edit_accepted"
    """An edit has passed every check, and waits for its moment: data {edit, at}."""
    EDIT_APPLIED = "edit_applied"
    """An edit was applied before a step, and made a revision: data {edit, step, revision}."""
    EDIT_REJECTED = "edit_rejected"
    """An edit could not be applied, and the job is as it was: data {edit, problems}."""
    EDIT_WITHDRAWN = "edit_withdrawn"
    """An edit was taken back before it was applied: data {edit}."""
    ROLLED_BACK = "rolled_back"
    """The job went back to a checkpoint, which began a revision: data {edit, revision, to, step, checkpoint}, of which
    `to` is the revision of the checkpoint."""
    WARNING = "warning"
    """Something is wrong, and the training goes on: data {code, detail, hint}; with `storage_full` or `unavailable` a
    checkpoint could not be kept, and is tried again, which is logged once in ten minutes at most; `stopped_by_force` is
    an attempt that did not stop in time and was killed. With a `pointer` it is about the spec, and is among the job's
    `warnings` from then on."""


def append(session: Session, job_id: str, kind: EventKind | str, data: Mapping[str, Any], fence: int = 0) -> int:
    """Log one event, for webhooks too, and return its number.

    The job's row is locked by the update, so numbers have no gaps.
    """
    seq: int = session.execute(_NEXT_NUMBER, {"job_id": job_id}).scalar_one()
    _insert(session, job_id, seq, kind, data, fence)
    return seq


def append_first(session: Session, job_id: str, kind: EventKind, data: Mapping[str, Any]) -> None:
    """Log the first event of a job that has just been inserted with `last_seq` 1."""
    _insert(session, job_id, 1, kind, data, fence=0)


def _insert(session: Session, job_id: str, seq: int, kind: str, data: Mapping[str, Any], fence: int) -> None:
    event = {"job_id": job_id, "seq": seq, "kind": str(kind), "fence": fence, "data": dict(data)}
    session.execute(_INSERT, event)
    enqueue_event(session, job_id, seq, kind, data)


def list_events(
    session: Session, job_id: str, seq: int, limit: int, kinds: Sequence[str] | None = None
) -> Sequence[EventRow]:
    """Return the events numbered above `seq`, oldest first; of some kinds only, if they are given.

    Those without `metrics`, which most events are, have an index of their own.
    """
    query = select(EventRow).where(EventRow.job_id == job_id, EventRow.seq > seq)
    if kinds is not None:
        query = query.where(EventRow.kind.in_(kinds))
        if EventKind.METRICS not in kinds:
            query = query.where(EventRow.kind != literal_column(f"'{EventKind.METRICS}'"))  # as in the index
    return session.scalars(query.order_by(EventRow.seq).limit(limit)).all()


def list_transitions(session: Session, job_id: str, limit: int) -> Sequence[EventRow]:
    """Return the job's transitions, oldest first: events of the kind `status`, which have an index of their own."""
    is_transition = EventRow.kind == literal_column(f"'{EventKind.STATUS}'")  # a literal, as in the index
    query = select(EventRow).where(EventRow.job_id == job_id, is_transition)
    return session.scalars(query.order_by(EventRow.seq).limit(limit)).all()
