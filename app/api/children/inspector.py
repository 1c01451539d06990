"""The API's window on torch: warm child processes with limits, which inspect networks and read uploads.

The API process never loads torch, and no spec can stall it: a child that takes too long is killed and replaced.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog

from app.api.children.pool import ChildFailure, ChildPool, ChildProcess
from app.errors import InvalidInput, MissingDependency, NotExportable, Problem, ServiceOverloaded
from app.settings import Settings
from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource

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
NO_SCHEMAS: Mapping[str, DataSchema] = {}

_log = structlog.get_logger(__name__)


class InspectionError(InvalidInput):
    """The job has problems; `partial` is the report as far as it goes (empty for problems of form)."""

    def __init__(self, problems: list[Problem], partial: Mapping[str, Any]) -> None:
        super().__init__(problems)
        self.partial = partial


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What shall be exported, and in which form: a job as it was sent, and its weights in a local file."""

    form: str
    job: Mapping[str, Any]
    data_schema: Mapping[str, Any]
    weights: Path


@dataclass(frozen=True, slots=True)
class UploadDescription:
    """What an upload turned out to be: a schema, its first rows and its format; or problems."""

    schema: DataSchema | None
    preview: list[dict[str, Any]]
    problems: tuple[Problem, ...]
    format: str | None


def _child_main(pipe: Connection, memory: int) -> None:
    from workers.children.inspect import serve  # noqa: PLC0415 - in the child alone: it loads torch

    serve(pipe, memory)


class Inspector:
    """Inspects jobs and reads uploads in children; safe for threads."""

    def __init__(self, settings: Settings) -> None:
        self._upload_limit = settings.upload_limit
        self._seconds, self._memory = settings.inspect_seconds, settings.inspect_memory
        self._limits = {
            "max_nodes": settings.max_nodes,
            "max_parameters": settings.max_parameters,
            "memory_limit": settings.memory_limit,
        }
        self.inspect_pool = ChildPool(_child_main, self._memory, INSPECTOR_POOL_SIZE)
        self.question_pool = ChildPool(_child_main, self._memory, 1)  # which run networks, and keep no job waiting
        self._readers = threading.BoundedSemaphore(MAX_CONCURRENT_READS)
        self._exporters = threading.BoundedSemaphore(MAX_CONCURRENT_EXPORTS)

    def warm_up(self) -> None:
        """Start the children and wait until they are ready: seconds, for torch is imported. Raises `Unavailable`."""
        self.inspect_pool.warm_up()

    def inspect(
        self, document: Any, schema: DataSchema | None = None, others: Mapping[str, DataSchema] = NO_SCHEMAS
    ) -> dict[str, Any]:
        """Return the report on a job as the user wrote it; `schema` is that of a registered data set it names.

        `others` are those of vectors of words and of weights, by the pointers that name them.

        Raises `Uninspectable` with every problem, also where the inspection takes more time or memory than allowed;
        `Overloaded` when no child is free in time; `Unavailable`.
        """
        registered = schema.model_dump(mode="json") if schema is not None else None
        named = {place: found.model_dump(mode="json") for place, found in others.items()}
        request = {"ask": "inspect", "job": document, "schema": registered, "named": named, "limits": self._limits}
        return self._request_report(self.inspect_pool, request)

    def inspect_model(self, question: Any) -> dict[str, Any]:
        """Answer a question about a network alone, see `app.spec.inspection`. Raises as `inspect` does."""
        return self._request_report(self.question_pool, {"ask": "model", "question": question, "limits": self._limits})

    def _request_report(self, pool: ChildPool, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = pool.request(json.dumps(request).encode(), self._seconds, self._seconds, "specs are being inspected")
        if "failure" in answer:
            told = _failure_problem(answer["failure"], "inspecting", self._seconds, self._memory, INSPECTION_FAILED)
            raise InspectionError([told], {})
        problems = [Problem(**problem) for problem in answer["problems"]]
        if problems:
            raise InspectionError(problems, answer["report"])
        report: dict[str, Any] = answer["report"]
        return report

    def describe_upload(self, path: Path, source: UploadSource) -> UploadDescription:
        """Say what uploaded content holds, read in a process of its own. Raises `Overloaded`, `Unavailable`."""
        memory = UPLOAD_MEMORY_FACTOR * self._upload_limit
        told = source.model_dump(mode="json")
        request = {"ask": "describe", "path": str(path), "source": told, "limit": memory // 2}
        with _acquire_slot(self._readers, self._seconds, "uploads are being read"):
            answer = _read_upload(json.dumps(request).encode(), memory, UPLOAD_TIME_FACTOR * self._seconds)
        schema = DataSchema.model_validate(answer["schema"]) if answer.get("schema") is not None else None
        problems = tuple(Problem(**problem) for problem in answer["problems"])
        return UploadDescription(schema, answer.get("preview", []), problems, answer.get("format"))

    def export_slot(self) -> AbstractContextManager[None]:
        """Wait for a turn to export. Raises `Overloaded`."""
        return _acquire_slot(self._exporters, EXPORT_TIME_FACTOR * self._seconds, "networks are being exported")

    def export(self, export: ExportRequest, target: Path) -> float:
        """Write a network's graph into a file, in a process of its own; within `exporting`.

        Returns the largest difference to the network's own outputs. Raises `NotExportable`, also where it takes more
        time or memory than allowed; `NotInstalled`, `Unavailable`.
        """
        memory, seconds = (
            EXPORT_MEMORY + WEIGHTS_MEMORY_FACTOR * export.weights.stat().st_size,
            EXPORT_TIME_FACTOR * self._seconds,
        )
        request = {
            "ask": "export",
            "form": export.form,
            "job": export.job,
            "schema": export.data_schema,
            "weights": str(export.weights),
            "target": str(target),
        }
        answer = _run_once(json.dumps(request).encode(), memory, seconds)
        if "missing" in answer:
            raise MissingDependency(answer["missing"], hint=answer["hint"])
        if "failure" in answer:
            raise NotExportable([_failure_problem(answer["failure"], "exporting", seconds, memory, EXPORT_FAILED)])
        if answer["problems"]:
            raise NotExportable([Problem(**problem) for problem in answer["problems"]])
        return float(answer["difference"])

    def close(self) -> None:
        """End the children, after what they are at. The next request would start new ones."""
        self.inspect_pool.close()
        self.question_pool.close()


def _format_mebibytes(count: int) -> str:
    return f"{count >> 20} MiB"


@contextmanager
def _acquire_slot(places: threading.Semaphore, seconds: float, what: str) -> Iterator[None]:
    """Hold one of the places; raises `Overloaded` if none is free in time."""
    if not places.acquire(timeout=seconds):
        raise ServiceOverloaded(f"too many {what}", hint="try again in some seconds")
    try:
        yield
    finally:
        places.release()


def _failure_problem(failure: str, doing: str, seconds: float, memory: int, fault: Problem) -> Problem:
    """Return what to tell of a network at which a child failed: it takes too much, or else it is our `fault`."""
    excess = {"time": f"{seconds:g} s", "memory": _format_mebibytes(memory)}.get(failure)
    if excess is None:
        _log.error(fault.code, error=failure)
        return fault
    return Problem("/model", "too_complex", f"{doing} the network takes more than {excess}", TOO_COMPLEX_HINT)


def _read_upload(body: bytes, memory: int, seconds: float) -> dict[str, Any]:
    """Have a fresh child read an upload; the answer has only problems where the child failed."""
    answer = _run_once(body, memory, seconds)
    problems = {
        "time": Problem("", "too_complex", f"reading the content takes more than {seconds:g} s", "upload fewer rows"),
        "memory": Problem(
            "", "too_large", f"reading the content takes more than {_format_mebibytes(memory)}", "upload fewer rows"
        ),
    }
    if "failure" in answer:
        if answer["failure"] not in problems:
            _log.error("upload_not_read", error=answer["failure"])
        answer = {"problems": [problems.get(answer["failure"], UNREADABLE_CONTENT).as_dict()]}
    return answer


def _run_once(body: bytes, memory: int, seconds: float) -> dict[str, Any]:
    """Ask a fresh child, and end it. Where it does not answer, "failure" is the reason."""
    child = ChildProcess(_child_main, memory)
    try:
        return child.request(body, seconds)
    except ChildFailure as lost:
        return {"failure": lost.reason}
    finally:
        child.close()
