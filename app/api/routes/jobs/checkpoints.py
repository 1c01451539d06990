"""Checkpoints and their files."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from app import checkpoints
from app.api import schemas
from app.api.auth import Reader
from app.api.http.files import FILE, HEAD, Wanted, answer_file
from app.api.http.parameters import CheckpointId, JobId
from app.api.http.responses import Json
from app.api.openapi import answers
from app.api.services import Part
from app.db.tables import CheckpointRow
from app.errors import NotFound
from app.jobs import repository
from app.spec.job import parse_job

router = APIRouter(prefix="/v1", tags=["checkpoints"])
Format = Literal["safetensors", "pth"]


@router.get("/jobs/{job_id}/checkpoints", responses=answers(200, schemas.CheckpointPage, 404))
def list_checkpoints(job_id: JobId, who: Reader, services: Part) -> Response:
    """List a job's checkpoints, newest first, with their files."""

    def unit(session: Session) -> list[CheckpointRow]:
        repository.find(session, who.owner, job_id)
        return checkpoints.listed(session, job_id)

    page = schemas.CheckpointPage(items=[schemas.Checkpoint.of(row) for row in services.db.read(unit)])
    return Json(page.plain())


@router.get("/checkpoints/{checkpoint_id}", responses=answers(200, schemas.Checkpoint, 404))
def read_checkpoint(checkpoint_id: CheckpointId, who: Reader, services: Part) -> Response:
    """Read one checkpoint."""
    return Json(schemas.Checkpoint.of(services.db.read(checkpoints.find, who.owner, checkpoint_id)).plain())


@router.head("/checkpoints/{checkpoint_id}/files/{name}", operation_id="describe_file", responses=HEAD)
@router.get("/checkpoints/{checkpoint_id}/files/{name}", operation_id="download_file", responses=FILE)
def download_file(
    checkpoint_id: CheckpointId,
    name: Annotated[str, Path(max_length=100, description="A file's name.")],
    who: Reader,
    services: Part,
    wanted: Wanted,
) -> Response:
    """Download a file, whole or a range of it. Its ETag is its SHA-256."""
    row = checkpoints.kept(services.db, lambda session: checkpoints.find(session, who.owner, checkpoint_id))
    return answer_file(services.store, _public(row, name), wanted)


@router.head("/jobs/{job_id}/weights", operation_id="describe_weights", responses=HEAD)
@router.get("/jobs/{job_id}/weights", operation_id="download_weights", responses=FILE)
def download_weights(
    job_id: JobId,
    who: Reader,
    services: Part,
    wanted: Wanted,
    which: Annotated[Literal["best", "latest"], Query(description="Best by the spec's monitor, or newest.")] = "best",
    format_: Annotated[Format, Query(alias="format", description="Of the file.")] = "safetensors",
) -> Response:
    """Download the best or the latest weights. Where nothing was evaluated the latest are the best."""
    row = checkpoints.kept(services.db, lambda session: _chosen(session, who.owner, job_id, which))
    return answer_file(services.store, _public(row, f"weights.{format_}"), wanted)


def _chosen(session: Session, owner: str, job_id: str, which: str) -> CheckpointRow:
    job = repository.find(session, owner, job_id)
    plan = parse_job(job.spec).training.checkpoint
    found = (
        checkpoints.preferred(session, job_id, plan.monitor, plan.mode)
        if which == "best"
        else next(iter(checkpoints.listed(session, job_id)), None)
    )
    if found is None:
        raise NotFound(f"{job_id} has no checkpoint yet", hint="wait until it has trained for a while")
    return found


def _public(row: CheckpointRow, name: str) -> Mapping[str, Any]:
    offered = {file["name"]: file for file in row.files if file["public"]}
    if name not in offered:
        raise NotFound(f'{row.id} has no file "{name}"', hint="one of: " + ", ".join(offered))
    found: Mapping[str, Any] = offered[name]
    return found
