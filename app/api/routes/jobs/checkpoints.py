"""Checkpoints and their files."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from app import checkpoints
from app.api import schemas
from app.api.auth import ReadPrincipal
from app.api.http.files import FILE_HEAD_RESPONSES, FILE_RESPONSES, FileRequestDep, file_response
from app.api.http.parameters import CheckpointId, JobId
from app.api.http.responses import JsonResponse
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import route_responses
from app.api.services import ServicesDep
from app.db.tables import CheckpointRow, JobRow
from app.errors import NotFound
from app.jobs import repository
from app.storage.protocol import FileRecord

router = APIRouter(prefix="/v1", tags=["checkpoints"])
WeightsFormat = Literal["safetensors", "pth"]


@router.get("/jobs/{job_id}/checkpoints", responses=route_responses(200, schemas.CheckpointPage, 404))
def list_checkpoints(job_id: JobId, who: ReadPrincipal, services: ServicesDep) -> Response:
    """List a job's checkpoints, newest first, with their files."""

    def unit(session: Session) -> list[schemas.Checkpoint]:
        job = repository.find(session, who.owner, job_id)
        return _describe(session, job, checkpoints.list_checkpoints(session, job_id))

    return JsonResponse(schemas.CheckpointPage(items=services.db.read(unit)).as_dict())


@router.get("/checkpoints/{checkpoint_id}", responses=route_responses(200, schemas.Checkpoint, 404))
def read_checkpoint(checkpoint_id: CheckpointId, who: ReadPrincipal, services: ServicesDep) -> Response:
    """Read one checkpoint."""

    def unit(session: Session) -> schemas.Checkpoint:
        row = checkpoints.find(session, who.owner, checkpoint_id)
        [found] = _describe(session, repository.find(session, who.owner, row.job_id), [row])
        return found

    return JsonResponse(services.db.read(unit).as_dict())


def _describe(session: Session, job: JobRow, rows: Sequence[CheckpointRow]) -> list[schemas.Checkpoint]:
    best = checkpoints.best_by_plan(session, job)
    return [schemas.Checkpoint.from_row(row, best=best is not None and row.id == best.id) for row in rows]


@router.head(
    "/checkpoints/{checkpoint_id}/files/{name}",
    dependencies=[in_lane(Lane.DOWNLOAD)],
    operation_id="describe_file",
    responses=FILE_HEAD_RESPONSES,
)
@router.get(
    "/checkpoints/{checkpoint_id}/files/{name}",
    dependencies=[in_lane(Lane.DOWNLOAD)],
    operation_id="download_file",
    responses=FILE_RESPONSES,
)
def download_file(
    checkpoint_id: CheckpointId,
    name: Annotated[str, Path(max_length=100, description="A file's name.")],
    who: ReadPrincipal,
    services: ServicesDep,
    file_request: FileRequestDep,
) -> Response:
    """Download a file or a range of it. Its ETag is its SHA-256."""
    row = checkpoints.acquire_for_reading(
        services.db, lambda session: checkpoints.find(session, who.owner, checkpoint_id)
    )
    return file_response(services.store, _public_file(row, name), file_request)


@router.head(
    "/jobs/{job_id}/weights",
    dependencies=[in_lane(Lane.DOWNLOAD)],
    operation_id="describe_weights",
    responses=FILE_HEAD_RESPONSES,
)
@router.get(
    "/jobs/{job_id}/weights",
    dependencies=[in_lane(Lane.DOWNLOAD)],
    operation_id="download_weights",
    responses=FILE_RESPONSES,
)
def download_weights(
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    file_request: FileRequestDep,
    which: Annotated[Literal["best", "latest"], Query(description="Best by the spec's monitor, or newest.")] = "best",
    format_: Annotated[WeightsFormat, Query(alias="format", description="Of the file.")] = "safetensors",
) -> Response:
    """Download the best or the latest weights. Where nothing was evaluated the latest are the best."""
    row = checkpoints.acquire_for_reading(
        services.db, lambda session: _select_checkpoint(session, who.owner, job_id, which)
    )
    return file_response(services.store, _public_file(row, f"weights.{format_}"), file_request)


def _select_checkpoint(session: Session, owner: str, job_id: str, which: str) -> CheckpointRow:
    job = repository.find(session, owner, job_id)
    row = checkpoints.best_by_plan(session, job) if which == "best" else checkpoints.latest(session, job)
    if row is None:
        raise NotFound(f"{job_id} has no checkpoint yet", hint="wait until it has trained for a while")
    return row


def _public_file(row: CheckpointRow, name: str) -> FileRecord:
    files = checkpoints.public_files(row)
    if name not in files:
        raise NotFound(f'{row.id} has no file "{name}"', hint="one of: " + ", ".join(files))
    return files[name]
