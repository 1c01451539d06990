"""Inspects networks, reads uploads and exports in warm child processes with limits.

The API process never loads torch, and no spec can stall it: a child that takes too long is killed and replaced.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from app.api.children.pool import ChildPool, request_once
from app.edits.acceptance import Ground
from app.errors import InvalidInput, MissingDependency, NotExportable, Problem, ServiceOverloaded, StorageFull
from app.jobs.start import StartCheckpoint
from app.settings import Settings
from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from app.storage.safetensors_header import TensorShapes
from workers.protocol.child_requests import (
    ChildResponse,
    DescribeRequest,
    DescribeResponse,
    ExportRequest,
    ExportResponse,
    FailureResponse,
    InspectionLimits,
    InspectRequest,
    InspectResponse,
    InvalidResponse,
    QueryRequest,
    RefusedResponse,
    ReviseRequest,
    ReviseResponse,
    StartedFrom,
)

INSPECTOR_MAIN = "inspector"  # of the fork server
BATCH_MAIN = "batch"  # likewise, for uploads and exports
INSPECTOR_POOL_SIZE = 2  # so that one hostile spec does not stall everybody
MAX_CONCURRENT_READS = 2  # uploads that are read at the same time
UPLOAD_TIME_FACTOR = 12  # an upload may take this many times as long as a spec
UPLOAD_MEMORY_FACTOR = 4  # and this many times its largest size in memory
MAX_CONCURRENT_EXPORTS = 1  # networks that are exported at the same time
EXPORT_TIME_FACTOR = 36  # an export may take this many times as long as a spec
EXPORT_MEMORY, WEIGHTS_MEMORY_FACTOR = 1 << 31, 8  # bytes beyond the warm process, and this many times the weights

TOO_COMPLEX_HINT = "use fewer nodes of different sizes, or fewer layers in one node"
INSPECTION_FAILED = Problem(
    "/model",
    "inspection_failed",
    "the network could not be inspected, which is a fault of this service",
    "try again; if that does not help, report it with the spec",
)
EXPORT_FAILED = Problem(
    "/model",
    "export_failed",
    "the network could not be exported, which is a fault of this service",
    "try again; if that does not help, report it with the spec",
)
UNREADABLE_CONTENT = Problem("", "unreadable", "the content could not be read", "check the file, and upload it again")
EXPORT_ERRORS: Mapping[str, type[MissingDependency | StorageFull]] = {
    kind.code: kind for kind in (MissingDependency, StorageFull)
}
Schemas = Mapping[str, DataSchema]
NO_SCHEMAS: Schemas = {}
BUSY = "specs are being inspected"

_log = structlog.get_logger(__name__)


class InspectionError(InvalidInput):
    """The job has problems; `partial` is the report as far as it goes (empty for problems of form)."""

    def __init__(self, problems: Sequence[Problem], partial: Mapping[str, Any]) -> None:
        super().__init__(problems)
        self.partial = partial


@dataclass(frozen=True, slots=True)
class UploadDescription:
    """The schema, first rows and format of an upload; or problems."""

    schema: DataSchema | None
    preview: list[dict[str, Any]]
    problems: tuple[Problem, ...]
    format: str | None


class Inspector:
    """Inspects jobs and reads uploads in children; safe for threads."""

    def __init__(self, settings: Settings) -> None:
        self._upload_limit = settings.upload_limit
        self._seconds, self._memory = settings.inspect_seconds, settings.inspect_memory
        self._limits = InspectionLimits(settings.max_nodes, settings.max_parameters, settings.memory_limit)
        self.inspect_pool = ChildPool(INSPECTOR_MAIN, self._memory, INSPECTOR_POOL_SIZE)
        self.question_pool = ChildPool(INSPECTOR_MAIN, self._memory, 1)  # they run networks, and keep no job waiting
        self._readers = threading.BoundedSemaphore(MAX_CONCURRENT_READS)
        self._exporters = threading.BoundedSemaphore(MAX_CONCURRENT_EXPORTS)

    def warm_up(self) -> None:
        """Start the children and wait until they are ready: seconds, for torch is imported. Raises `Unavailable`."""
        self.inspect_pool.warm_up()

    def inspect(
        self,
        document: Any,
        schema: DataSchema | None = None,
        others: Schemas = NO_SCHEMAS,
        start: StartCheckpoint | None = None,
        start_shapes: TensorShapes | None = None,
    ) -> Mapping[str, Any]:
        """Return the report on a job as the user wrote it, with its warnings.

        `schema` is that of a registered data set that it names.

        `others` are those of word vectors and of weights, by the pointers that name them; `start` is the checkpoint
        that it starts from, and `start_shapes` are the shapes of its weights if they are known.

        Raises `InspectionError` with every problem, also if the inspection takes more time or memory than allowed;
        `ServiceOverloaded` if no child is free in time; `Unavailable`.
        """
        registered = schema.model_dump(mode="json") if schema is not None else None
        named = {pointer: other.model_dump(mode="json") for pointer, other in others.items()}
        begun = StartedFrom(start_shapes, start.document, start.schema) if start is not None else None
        response = self._request(self.inspect_pool, InspectRequest(document, registered, named, self._limits, begun))
        return {**response.report, "warnings": [warning.as_dict() for warning in response.warnings]}

    def check_edit(
        self, ground: Ground, operations: Sequence[Mapping[str, Any]], schema: Mapping[str, Any], others: Schemas
    ) -> ReviseResponse:
        """Return what an edit makes of the job that it meets; `schema` is that of the job's data.

        Raises as `inspect` does, with pointers into the edit.
        """
        named = {pointer: other.model_dump(mode="json") for pointer, other in others.items()}
        pending = tuple(each for _, each in ground.pending)
        edits = (pending, tuple(operations))
        request = ReviseRequest(ground.document, schema, *edits, named, self._limits, ground.spent_rules)
        response = self.inspect_pool.request(request, self._seconds, self._seconds, BUSY)
        if not isinstance(response, ReviseResponse):
            raise InspectionError([self._inspection_failure(response, "/operations")], {})
        if response.problems:
            raise InspectionError(response.problems, response.report)
        return response

    def inspect_model(self, document: Any) -> Mapping[str, Any]:
        """Return the report on a network alone, see `app.spec.inspection`. Raises as `inspect` does."""
        return self._request(self.question_pool, QueryRequest(document, self._limits.max_nodes)).report

    def _request(self, pool: ChildPool, request: InspectRequest | QueryRequest) -> InspectResponse:
        response = pool.request(request, self._seconds, self._seconds, BUSY)
        if not isinstance(response, InspectResponse):
            raise InspectionError([self._inspection_failure(response, "/model")], {})
        if response.problems:
            raise InspectionError(response.problems, response.report)
        return response

    def _inspection_failure(self, response: ChildResponse, pointer: str) -> Problem:
        reason = _failure_reason(response)
        problem = _failure_problem(reason, "inspecting", self._seconds, self._memory, INSPECTION_FAILED)
        return replace(problem, pointer=pointer)

    def describe_upload(self, path: Path, source: UploadSource) -> UploadDescription:
        """Read an upload in a process of its own. Raises `ServiceOverloaded`, `Unavailable`."""
        memory, seconds = UPLOAD_MEMORY_FACTOR * self._upload_limit, UPLOAD_TIME_FACTOR * self._seconds
        request = DescribeRequest(path, source.model_dump(mode="json"), memory // 2)
        with _acquire_slot(self._readers, self._seconds, "uploads are being read"):
            response = request_once(BATCH_MAIN, memory, request, seconds)
        if not isinstance(response, DescribeResponse):
            problem = _unread_problem(_failure_reason(response), memory, seconds)
            return UploadDescription(None, [], (problem,), None)
        schema = DataSchema.model_validate(response.schema) if response.schema is not None else None
        return UploadDescription(schema, [dict(row) for row in response.preview], response.problems, response.format)

    def export_slot(self) -> AbstractContextManager[None]:
        """Return a context that waits until an export may begin. Raises `ServiceOverloaded`."""
        return _acquire_slot(self._exporters, EXPORT_TIME_FACTOR * self._seconds, "networks are being exported")

    def export(self, request: ExportRequest) -> float:
        """Write a network's graph into the request's target, in a process of its own; within `export_slot`.

        Returns the largest difference to the network's own outputs. Raises `NotExportable`, also if it takes more
        time or memory than allowed; `MissingDependency`, `StorageFull`, `Unavailable`.
        """
        memory = EXPORT_MEMORY + WEIGHTS_MEMORY_FACTOR * request.weights.stat().st_size
        seconds = EXPORT_TIME_FACTOR * self._seconds
        response = request_once(BATCH_MAIN, memory, request, seconds)
        if isinstance(response, ExportResponse):
            return response.difference
        if isinstance(response, InvalidResponse):
            raise NotExportable(response.problems)
        if isinstance(response, RefusedResponse) and response.code in EXPORT_ERRORS:
            raise EXPORT_ERRORS[response.code](response.detail, hint=response.hint)
        raise NotExportable([_failure_problem(_failure_reason(response), "exporting", seconds, memory, EXPORT_FAILED)])

    def close(self) -> None:
        """End the children after their current requests. The next request would start new ones."""
        self.inspect_pool.close()
        self.question_pool.close()


def _format_mebibytes(count: int) -> str:
    return f"{count >> 20} MiB"


@contextmanager
def _acquire_slot(slots: threading.Semaphore, seconds: float, what: str) -> Iterator[None]:
    """Hold one of the slots. Raises `ServiceOverloaded` if none is free in time."""
    if not slots.acquire(timeout=seconds):
        raise ServiceOverloaded(f"too many {what}", hint="try again in some seconds")
    try:
        yield
    finally:
        slots.release()


def _failure_reason(response: ChildResponse) -> str:
    return response.reason if isinstance(response, FailureResponse) else repr(response)


def _failure_problem(reason: str, doing: str, seconds: float, memory: int, fault: Problem) -> Problem:
    """Return the problem of a network at which a child failed: it takes too much, or the service has a `fault`."""
    excess = {"time": f"{seconds:g} s", "memory": _format_mebibytes(memory)}.get(reason)
    if excess is None:
        _log.error(fault.code, error=reason)
        return fault
    return Problem("/model", "too_complex", f"{doing} the network takes more than {excess}", TOO_COMPLEX_HINT)


def _unread_problem(reason: str, memory: int, seconds: float) -> Problem:
    """Return the problem of an upload at which a child failed."""
    excess = f"reading the content takes more than {_format_mebibytes(memory)}"
    problems = {
        "time": Problem("", "too_complex", f"reading the content takes more than {seconds:g} s", "upload fewer rows"),
        "memory": Problem("", "too_large", excess, "upload fewer rows"),
    }
    if reason not in problems:
        _log.error("upload_not_read", error=reason)
    return problems.get(reason, UNREADABLE_CONTENT)
