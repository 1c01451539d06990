"""Writes the messages of an attempt as rows.

Each call is one transaction that first locks the message's job under the attempt's fence, so a superseded attempt
changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatch
from itertools import islice, takewhile
from typing import Any

from sqlalchemy.orm import Session

from app import checkpoints, curves, events, statistics
from app.db.tables import JobRow
from app.edits import outcomes
from app.edits.outcomes import Application, Rule
from app.events import EventKind
from app.jobs import repository, service
from app.settings import Settings
from workers.protocol.messages import (
    EditApplied,
    EditRejected,
    EditWithdrawn,
    Ending,
    JobMessage,
    Outcome,
    ProgressReport,
    SavedCheckpoint,
)

MAX_REPORTS = 16  # written in one transaction


def next_batch(backlog: Iterable[JobMessage]) -> list[JobMessage]:
    """Return what the next transaction writes: the reports that come before anything else, or else one message."""
    oldest = list(islice(backlog, MAX_REPORTS))
    reports = list(takewhile(lambda message: isinstance(message, ProgressReport), oldest))
    return reports or oldest[:1]


def record_all(session: Session, fences: Mapping[str, int], messages: Sequence[JobMessage], settings: Settings) -> None:
    """Write several messages, each under the fence of its job; see `record`."""
    for message in messages:
        record(session, fences[message.job_id], message, settings)


def record(session: Session, fence: int, message: JobMessage, settings: Settings) -> None:
    """Record a message about its job. Raises `StaleFence` if the attempt no longer owns the job."""
    job = repository.lock_for_attempt(session, message.job_id, fence)
    _record(message, session, job, settings)


@singledispatch
def _record(message: JobMessage, session: Session, job: JobRow, settings: Settings) -> None:
    raise TypeError(f"an attempt does not send {type(message).__name__}")


@_record.register
def _(message: ProgressReport, session: Session, job: JobRow, settings: Settings) -> None:
    for kind, data in message.events:
        if kind == EventKind.REWOUND:
            curves.rewind(session, job.id, int(data["step"]))
            statistics.rewind(session, job.id, int(data["step"]))
        events.append(session, job.id, kind, data, job.fence)
    if message.series:
        blocks = {name: curves.points_from(block) for name, block in message.series.items()}
        ranges = curves.append(session, job.id, blocks)
        spans = {name: list(span) for name, span in ranges.items()}
        log: dict[str, Any] = {"series": spans, "progress": message.progress}
        if message.statistics:
            log["statistics"] = message.statistics[-1].step
        events.append(session, job.id, EventKind.METRICS, log, job.fence)
    for sample in message.statistics:
        statistics.append(session, job.id, sample)
    changes: dict[str, Any] = {} if message.progress is None else {"progress": dict(message.progress)}
    if warnings := [data for kind, data in message.events if kind == EventKind.WARNING and data.get("pointer")]:
        changes["inspection"] = _with_warnings(job.inspection, warnings)
    if message.phase is not None and message.phase != job.phase:
        changes["phase"] = message.phase
        events.append(session, job.id, EventKind.PHASE, {"phase": message.phase}, job.fence)
    if changes:
        repository.update_visible(session, job.id, **changes)


def _with_warnings(inspection: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a job's inspection with warnings about its spec that only the data could tell; each of them once."""
    known = list(inspection.get("warnings", ()))
    return {**inspection, "warnings": known + [dict(warning) for warning in found if warning not in known]}


@_record.register
def _(message: SavedCheckpoint, session: Session, job: JobRow, settings: Settings) -> None:
    files = [
        {"name": f.name, "path": f.path, "size": f.size, "sha256": f.sha256, "public": f.public} for f in message.files
    ]
    checkpoints.add(
        session,
        job.id,
        job.fence,
        id=message.id,
        step=message.step,
        epoch=message.epoch,
        values=dict(message.values),
        files=files,
        final=message.final,
        revision=message.revision,
    )
    events.append(session, job.id, EventKind.CHECKPOINT, {"id": message.id, "step": message.step}, job.fence)
    repository.update_visible(session, job.id, attempts=0)  # the attempt got somewhere: losses count from here


@_record.register
def _(message: EditApplied, session: Session, job: JobRow, settings: Settings) -> None:
    applied = Application(message.step, message.revision, message.document, message.choices, message.details)
    if message.number is not None:
        outcomes.record_applied(session, job, message.number, applied)
    else:
        rule = Rule(message.rule or 0, message.firing, message.operations)
        outcomes.record_plan_applied(session, job, rule, applied)


@_record.register
def _(message: EditRejected, session: Session, job: JobRow, settings: Settings) -> None:
    if message.number is not None:
        outcomes.record_rejected(session, job, message.number, message.problems)
    else:
        rule = Rule(message.rule or 0, message.firing, message.operations)
        outcomes.record_plan_rejected(session, job, rule, message.step, message.problems)


@_record.register
def _(message: EditWithdrawn, session: Session, job: JobRow, settings: Settings) -> None:
    outcomes.record_withdrawn(session, job, message.number)


@_record.register
def _(message: Outcome, session: Session, job: JobRow, settings: Settings) -> None:
    error = dict(message.error or {})
    match message.ending:
        case Ending.SUCCEEDED:
            service.succeed(session, job.id, job.fence, message.result or {})
        case Ending.CANCELLED:
            service.complete_cancel(session, job.id, job.fence)
        case Ending.PAUSED:
            service.complete_pause(session, job.id, job.fence)
        case Ending.RELEASED:
            service.release(session, job.id, job.fence)
        case Ending.FAILED:
            service.fail(session, job.id, job.fence, error)
        case Ending.LOST:
            service.record_loss(session, job.id, job.fence, error, settings.max_attempts)
