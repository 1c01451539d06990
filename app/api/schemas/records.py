"""What is recorded about a job: events, curves, checkpoints."""

from typing import Any, Literal, Self

from pydantic import Field

from app.api.http.responses import moment, number
from app.api.schemas.base import Document, Number
from app.db.tables import CheckpointRow, EventRow


class Event(Document):
    """One thing that happened to a job."""

    id: int = Field(description="Numbers a job's events without gaps.")
    at: str
    kind: str
    fence: int = Field(description="Which attempt it was.")
    data: dict[str, Any]

    @classmethod
    def of(cls, row: EventRow) -> Self:
        """Describe an event."""
        return cls(id=row.seq, at=str(moment(row.at)), kind=row.kind, fence=row.fence, data=row.data)


class EventPage(Document):
    """Events, oldest first."""

    items: list[Event]
    has_more: bool


class Series(Document):
    """Columns of one curve: a row is a bucket of points, or a point where they fit."""

    width: int = Field(description="Points per bucket; 1: every row is a point.")
    points: int = Field(description="Points of the whole series.")
    x: list[Number]
    step: list[int] = Field(description="Of the bucket's last point.")
    min: list[Number]
    max: list[Number]
    last: list[Number]
    count: list[int]


class Curves(Document):
    """Curves by name."""

    x: Literal["step", "epoch", "elapsed", "time"]
    series: dict[str, Series]


class CheckpointFile(Document):
    """A file to download."""

    name: str
    size: int
    sha256: str
    url: str


class Checkpoint(Document):
    """A durable state of a job's network."""

    id: str
    job_id: str
    step: int
    epoch: float
    values: dict[str, Number] = Field(description="The series' values at this step.")
    final: bool
    created_at: str
    files: list[CheckpointFile]

    @classmethod
    def of(cls, row: CheckpointRow) -> Self:
        """Describe a checkpoint; what only a resumed attempt needs stays private."""
        files = [
            CheckpointFile(name=file["name"], size=file["size"], sha256=file["sha256"],
                           url=f"/v1/checkpoints/{row.id}/files/{file['name']}")
            for file in row.files if file["public"]
        ]  # fmt: skip
        values = {name: number(value) for name, value in row.values.items() if value is not None}
        return cls(id=row.id, job_id=row.job_id, step=row.step, epoch=row.epoch, values=values, final=row.final,
                   created_at=str(moment(row.created_at)), files=files)  # fmt: skip


class CheckpointPage(Document):
    """Checkpoints, newest first: all of them."""

    items: list[Checkpoint]
    has_more: Literal[False] = False


class JobReport(Document):
    """What an evaluation saw."""

    job_id: str
    checkpoint_id: str
    version: int
    step: int
    rows: int = Field(description="Held-out examples.")
    heads: list[dict[str, Any]] = Field(
        description="What each output says of its target: `about` tells which; see the page on reports."
    )
