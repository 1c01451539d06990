"""What is recorded about a job: events, curves, checkpoints, and reports of evaluations."""

from typing import Literal, Self

from pydantic import Field

from app import checkpoints
from app.api.http.responses import json_number
from app.api.schemas.base import JsonNumber, JsonObject, ResponseModel
from app.api.schemas.problems import ProblemDetail
from app.db.tables import CheckpointRow, EventRow
from app.spec.timestamps import format_rfc3339

EPISODES_DESCRIPTION = "Of a job that acts in an environment, in place of heads: see the page on reports."
HEADS_DESCRIPTION = "One object per output; its `about` says of which form: see the page on reports."


class Event(ResponseModel):
    """An event of a job."""

    id: int = Field(description="Numbers a job's events without gaps.")
    at: str
    kind: str
    fence: int = Field(description="Which attempt it was.")
    data: JsonObject

    @classmethod
    def from_row(cls, row: EventRow) -> Self:
        """Describe an event."""
        return cls(id=row.seq, at=format_rfc3339(row.at), kind=row.kind, fence=row.fence, data=row.data)


class EventPage(ResponseModel):
    """Events, oldest first."""

    items: list[Event]
    has_more: bool


class Series(ResponseModel):
    """Columns of one curve: a row is a bucket of points, or a single point."""

    width: int = Field(description="Points per bucket; 1: every row is a point.")
    points: int = Field(description="Points of the complete series.")
    x: list[JsonNumber]
    step: list[int] = Field(description="Of the bucket's last point.")
    min: list[JsonNumber]
    max: list[JsonNumber]
    last: list[JsonNumber]
    count: list[int]
    nan: list[int] = Field(description="How many of the bucket's points are NaN: min and max are of the others.")


class Curves(ResponseModel):
    """Curves by name."""

    x: Literal["step", "epoch", "elapsed", "time"]
    series: dict[str, Series]


class StatisticSeries(ResponseModel):
    """Columns of one quantity of one node: a row is a bucket of samples, or a single sample."""

    width: int = Field(description="Samples per bucket; 1: every row is a sample.")
    step: list[int] = Field(description="Of the bucket's last sample.")
    min: list[JsonNumber]
    max: list[JsonNumber]
    last: list[JsonNumber]


class NetworkStatistics(ResponseModel):
    """What happened inside a network while it trained."""

    samples: int = Field(description="Of the job, whatever is selected.")
    last_step: int = Field(description="The last sampled step; 0 before the first.")
    nodes: dict[str, dict[str, StatisticSeries]] = Field(
        description="By path of the node (ids joined by slashes) and quantity. Without values there is no entry."
    )


class Histograms(ResponseModel):
    """Distributions of one quantity of one node, over common bins."""

    node: str
    quantity: Literal["weights", "gradients", "activations"]
    steps: list[int]
    edges: list[JsonNumber] = Field(description="Ascending; bin i is between edges i and i + 1.")
    counts: list[list[int]] = Field(description="By step and bin.")


class CheckpointFile(ResponseModel):
    """A file to download."""

    name: str
    size: int
    sha256: str
    url: str


class Checkpoint(ResponseModel):
    """A durable state of a job's network."""

    id: str
    job_id: str
    step: int
    revision: int = Field(description="Of the job: whose network the weights fit.")
    epoch: float
    values: dict[str, JsonNumber] = Field(description="The series' values at this step.")
    best: bool = Field(
        description="Whether it is the best by the plan's monitor, or where nothing was evaluated the newest: the one "
        "that predicts, and that is downloaded unless another one is named."
    )
    final: bool
    created_at: str
    files: list[CheckpointFile]

    @classmethod
    def from_row(cls, row: CheckpointRow, best: bool) -> Self:
        """Describe a checkpoint and its public files."""
        files = [
            CheckpointFile(
                name=file["name"],
                size=file["size"],
                sha256=file["sha256"],
                url=f"/v1/checkpoints/{row.id}/files/{file['name']}",
            )
            for file in checkpoints.public_files(row).values()
        ]
        values = {name: json_number(value) for name, value in row.values.items() if value is not None}
        return cls(
            id=row.id,
            job_id=row.job_id,
            step=row.step,
            revision=row.revision,
            epoch=row.epoch,
            values=values,
            best=best,
            final=row.final,
            created_at=format_rfc3339(row.created_at),
            files=files,
        )


class CheckpointPage(ResponseModel):
    """Checkpoints, newest first: all of them."""

    items: list[Checkpoint]
    has_more: Literal[False] = False


class JobTest(ResponseModel):
    """The report of a job's test: rows that chose nothing, evaluated once, at the end."""

    checkpoint_id: str = Field(description="Whose weights were tested: the best when the training ended.")
    step: int = Field(description="Of that checkpoint.")
    rows: int
    values: dict[str, JsonNumber | None] = Field(description="The loss and the metrics; null for what is no number.")
    heads: list[JsonObject] = Field(description=HEADS_DESCRIPTION)


class JobReport(ResponseModel):
    """The report of an evaluation."""

    job_id: str
    checkpoint_id: str
    version: int
    step: int
    rows: int = Field(description="Examples of the validation; 0 if there is none.")
    heads: list[JsonObject] = Field(description=HEADS_DESCRIPTION)
    episodes: JsonObject | None = Field(None, description=EPISODES_DESCRIPTION)
    test: JobTest | None = Field(None, description="Of the job, whichever checkpoint is asked for.")


class JobEvaluation(ResponseModel):
    """The figures of a job's network on a labelled data set."""

    job_id: str
    checkpoint_id: str
    step: int
    dataset: str
    split: str
    rows: int
    values: dict[str, JsonNumber | None] = Field(description="The loss and the metrics; null for what is no number.")
    heads: list[JsonObject] = Field(description=HEADS_DESCRIPTION)
    notes: list[str] = Field(description="What is left out, and why.")
    warnings: list[ProblemDetail] = Field(description="Why the figures may mislead.")
