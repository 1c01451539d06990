"""Jobs."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field
from sqlalchemy import Row

from app.api.schemas.base import JsonObject, ResponseModel
from app.api.schemas.problems import ProblemDetail
from app.db.tables import EventRow, JobRow
from app.jobs.queue import Hold, QueuePosition
from app.jobs.states import Status, Verb
from app.spec.data.column_roles import ColumnRole
from app.spec.data.columns import DataSchema
from app.spec.timestamps import format_optional_rfc3339, format_rfc3339

NO_QUEUE_PLACE = QueuePosition()
INSPECTION_SUMMARY_KEYS = ("inputs", "outputs", "totals", "memory")  # of a network without its nodes


def network_inspection(inspection: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a job's inspection that is about its network alone."""
    return {part: value for part, value in inspection.items() if part not in ("columns", "splits", "warnings")}


class Failure(ResponseModel):
    """Why a job failed."""

    code: str
    message: str
    pointer: str = ""
    hint: str = ""
    retryable: bool = False


class Transition(ResponseModel):
    """One change of a job's status."""

    at: str
    verb: Verb
    from_: Status = Field(alias="from")
    to: Status
    worker: str | None = None

    @classmethod
    def from_row(cls, row: EventRow) -> Self:
        """Describe a transition, from its event."""
        fields = {name: row.data.get(name) for name in ("verb", "from", "to", "worker")}
        return cls.model_validate({"at": format_rfc3339(row.at), **fields})


class JobSummary(ResponseModel):
    """A job in a list."""

    id: str
    name: str
    status: Status
    phase: str = Field(description="What a running job does at the moment; open vocabulary.")
    wish: str | None = Field(description="A requested verb that is not carried out yet: cancel or pause.")
    metadata: dict[str, str]
    queue: str
    priority: int
    progress: JsonObject = Field(description="step, epoch, total_steps, steps_per_epoch, rate, eta_seconds, latest.")
    error: Failure | None
    worker: str | None = Field(description="Where it runs, or ran last.")
    not_before: str | None = Field(description="No attempt before: the spec's wish, or the pause after a loss.")
    version: int = Field(description="Grows with every change; the ETag.")
    created_at: str
    started_at: str | None
    finished_at: str | None
    deleted_at: str | None
    updated_at: str
    urls: dict[str, str]


class Job(JobSummary):
    """A job with its spec and its transitions."""

    spec: JsonObject = Field(description="As it was sent, with shorthands written out: revision 1.")
    revision: int = Field(description="The current one, as edits have made it.")
    inspection: JsonObject = Field(description="Of the network: inputs, outputs, totals and memory.")
    splits: JsonObject = Field(description="Rows that train, and those held out: how many, if known, and which.")
    columns: list[ColumnRole] = Field(description="What it makes of each column of its data; the first 200 of many.")
    warnings: list[ProblemDetail] = Field(description="What was left out, guessed or converted, and how to say so.")
    result: JsonObject | None
    attempts: int = Field(description="Attempts lost to machines since the last checkpoint.")
    position: int | None = Field(description="Place in its queue, 1 for the next; while it waits for its turn.")
    starts_at: str | None = Field(description="Estimated; null if there is nothing to estimate it by.")
    held_by: Hold | None = Field(description="What a waiting job waits for, other than its turn.")
    last_event: int
    transitions: list[Transition]

    @classmethod
    def from_row(
        cls,
        row: JobRow | Row[Any],
        transitions: Sequence[EventRow] = (),
        place: QueuePosition = NO_QUEUE_PLACE,
        inspection: Mapping[str, Any] | None = None,
    ) -> Self:
        """Describe a job; `inspection` is that of its current revision, by default of the first."""
        network = row.inspection if inspection is None else inspection
        warnings = [*row.inspection.get("warnings", ()), *(network.get("warnings", ()) if inspection else ())]
        return cls(
            **job_summary(row),
            spec=row.spec,
            revision=row.revision,
            inspection={part: network[part] for part in INSPECTION_SUMMARY_KEYS if part in network},
            splits=row.inspection.get("splits", {}),
            columns=[ColumnRole.model_construct(**role) for role in row.inspection.get("columns", ())],  # as checked
            warnings=[ProblemDetail(**each) for place, each in enumerate(warnings) if each not in warnings[:place]],
            result=row.result,
            attempts=row.attempts,
            position=place.position,
            starts_at=format_optional_rfc3339(place.starts_at),
            held_by=place.held_by,
            last_event=row.last_seq,
            transitions=[Transition.from_row(event) for event in transitions],
        )


def job_summary(row: JobRow | Row[Any]) -> dict[str, Any]:
    """Describe a job for a list, as `JobSummary` has it: lists are long, and their rows valid already."""
    here = f"/v1/jobs/{row.id}"
    urls = {"self": here} | {
        noun: f"{here}/{noun}" for noun in ("metrics", "events", "stream", "checkpoints", "weights")
    }
    return {
        "id": row.id,
        "name": row.name,
        "status": row.status,
        "phase": row.phase,
        "wish": row.wish,
        "metadata": row.labels,
        "queue": row.queue,
        "priority": row.priority,
        "progress": row.progress,
        "error": None if row.error is None else Failure(**row.error).as_dict(),
        "worker": row.worker,
        "version": row.version,
        "not_before": format_optional_rfc3339(row.not_before or None),
        "created_at": format_rfc3339(row.created_at),
        "started_at": format_optional_rfc3339(row.started_at),
        "finished_at": format_optional_rfc3339(row.finished_at),
        "deleted_at": format_optional_rfc3339(row.deleted_at),
        "updated_at": format_rfc3339(row.updated_at),
        "urls": urls | {"cancel": f"{here}/cancel"},
    }


class JobPage(ResponseModel):
    """Jobs, newest first."""

    items: list[JobSummary]
    has_more: bool


class Report(ResponseModel):
    """A spec that would be accepted."""

    valid: Literal[True] = True
    queue: str
    data_schema: DataSchema
    splits: JsonObject = Field(description="As a job has them.")
    columns: list[ColumnRole] = Field(description="As a job has them.")
    warnings: list[ProblemDetail] = Field(description="As a job has them.")
    inspection: JsonObject
    spec: JsonObject = Field(description="As a submission would store it: with shorthands written out.")
