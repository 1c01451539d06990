"""Requests that the API sends to its child processes, and their responses. A child answers one at a time.

Schemas and options are plain JSON: the child checks them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import Problem
from workers.protocol.encoding import MessageCodec

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InspectionLimits:
    """The largest network, and the memory that training it may take."""

    max_nodes: int
    max_parameters: int
    memory_limit: int  # bytes


@dataclass(frozen=True, slots=True)
class StartedFrom:
    """A checkpoint that a job starts from: the shapes of its weights, and the job that has trained it."""

    shapes: Mapping[str, tuple[int, ...]] | None  # by name; `None` if they cannot be read
    document: Json  # the whole spec at the checkpoint
    schema: Json  # of its data


@dataclass(frozen=True, slots=True)
class InspectRequest:
    """Inspect a job; answered by `InspectResponse`."""

    job: object  # as the user wrote it
    schema: Json | None  # of the registered data set that it trains on
    named_schemas: Mapping[str, Json]  # of other data sets that it names, by JSON Pointer
    limits: InspectionLimits
    start: StartedFrom | None = None


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """Compute shapes, gradients or values of a network alone; answered by `InspectResponse`."""

    document: object  # see `app.spec.inspection`
    max_nodes: int


@dataclass(frozen=True, slots=True)
class InspectResponse:
    """A report, which is partial if there are problems; warnings do not keep a job from being accepted."""

    report: Json
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviseRequest:
    """Revise a job by an edit, and inspect what it becomes; answered by `ReviseResponse`."""

    document: Json  # of the current revision
    schema: Json  # of the data that it trains on
    pending: tuple[tuple[Json, ...], ...]  # operations of edits that are applied before
    operations: tuple[Json, ...]
    named_schemas: Mapping[str, Json]  # of other data sets that it names, by JSON Pointer
    limits: InspectionLimits
    spent_rules: tuple[int, ...] = ()  # places in `training.edits` of those that make no more edits


@dataclass(frozen=True, slots=True)
class ReviseResponse:
    """The document that the edit meets and the one that it makes, whose report is partial if there are problems."""

    before: Json
    document: Json
    report: Json
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribeRequest:
    """Read an upload; answered by `DescribeResponse`."""

    path: Path
    source: Json  # an `UploadSource`
    max_unpacked_bytes: int


@dataclass(frozen=True, slots=True)
class DescribeResponse:
    """The schema, first rows and format of an upload; or problems."""

    schema: Json | None
    preview: tuple[Json, ...] = ()
    problems: tuple[Problem, ...] = ()
    format: str | None = None


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Write a network as one graph into `target`; answered by `ExportResponse`."""

    form: str
    job: Json
    schema: Json
    weights: Path
    target: Path


@dataclass(frozen=True, slots=True)
class ExportResponse:
    """The largest difference between the outputs of the graph and those of the network."""

    difference: float


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """Predict the rows in `body` and write the result into `target`; answered by `PredictResponse`."""

    checkpoint: str
    job: Json
    schema: Json
    metadata: Json  # copied into the result
    weights: Path
    preparation: Path
    body: Path
    media_type: str
    form: str
    options: Json
    as_csv: bool
    target: Path
    max_rows: int
    max_bytes: int  # of the result
    device: str
    encoding: str | None = None  # of a text, if the request says it


@dataclass(frozen=True, slots=True)
class PredictResponse:
    """The result is written, unless the body names another checkpoint, which must be used instead."""

    other_checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """Evaluate a split of a labelled data set; answered by `EvaluateResponse`."""

    job: Json
    schema: Json
    weights: Path
    preparation: Path
    source: Json  # of the data set
    dataset_schema: Json
    content: Path | None  # of an upload
    data_root: Path  # where torchvision data sets lie
    split: str | None
    device: str


@dataclass(frozen=True, slots=True)
class EvaluateResponse:
    """Split, rows, values, heads and notes, as JSON."""

    document: Json


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """Measure how much an edit changes what a network computes; answered by `MeasureResponse`."""

    job: Json  # of the checkpoint's revision
    schema: Json
    weights: Path
    preparation: Path
    source: Json  # of the job's data set
    content: Path | None  # of an upload
    data_root: Path  # where torchvision data sets lie
    split: str | None  # `None` of an environment, which has no rows
    earlier: tuple[tuple[Json, ...], ...]  # operations of the edits between the checkpoint and this one
    operations: tuple[Json, ...]
    edit: int  # the number that it would have
    device: str


@dataclass(frozen=True, slots=True)
class MeasureResponse:
    """Rows and differences by output, as JSON."""

    document: Json


@dataclass(frozen=True, slots=True)
class CheckpointRequest:
    """Find out which checkpoint a JSON document names; answered by `CheckpointResponse`."""

    body: Path
    media_type: str
    max_rows: int


@dataclass(frozen=True, slots=True)
class CheckpointResponse:
    """The id of the checkpoint that a document names, if it names one."""

    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class ReadyResponse:
    """The child is warm and waits for requests."""


@dataclass(frozen=True, slots=True)
class InvalidResponse:
    """The user's document or rows have problems."""

    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class RefusedResponse:
    """Another error of `app.errors`."""

    code: str
    detail: str
    hint: str


@dataclass(frozen=True, slots=True)
class FailureResponse:
    """The child could not answer: "time" or "memory" was short, it was "killed", or the text of an exception."""

    reason: str


ChildRequest = (
    InspectRequest
    | QueryRequest
    | ReviseRequest
    | DescribeRequest
    | ExportRequest
    | PredictRequest
    | EvaluateRequest
    | MeasureRequest
    | CheckpointRequest
)
ChildResponse = (
    InspectResponse
    | ReviseResponse
    | DescribeResponse
    | ExportResponse
    | PredictResponse
    | EvaluateResponse
    | MeasureResponse
    | CheckpointResponse
    | ReadyResponse
    | InvalidResponse
    | RefusedResponse
    | FailureResponse
)

REQUESTS = MessageCodec[ChildRequest](
    InspectRequest,
    QueryRequest,
    ReviseRequest,
    DescribeRequest,
    ExportRequest,
    PredictRequest,
    EvaluateRequest,
    MeasureRequest,
    CheckpointRequest,
)
RESPONSES = MessageCodec[ChildResponse](
    InspectResponse,
    ReviseResponse,
    DescribeResponse,
    ExportResponse,
    PredictResponse,
    EvaluateResponse,
    MeasureResponse,
    CheckpointResponse,
    ReadyResponse,
    InvalidResponse,
    RefusedResponse,
    FailureResponse,
)
