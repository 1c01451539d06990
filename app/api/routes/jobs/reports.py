"""Reports: what an evaluation saw, class by class."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from app import checkpoints
from app.api import schemas
from app.api.auth import ReadPrincipal
from app.api.http.parameters import CHECKPOINT_ID_PATTERN, IfNoneMatch, JobId, etag_matches
from app.api.http.responses import JsonResponse
from app.api.openapi.routes import route_responses
from app.api.services import ServicesDep
from app.db.tables import CheckpointRow
from app.errors import NotFound
from app.jobs import repository
from app.spec.job import parse_job

router = APIRouter(prefix="/v1/jobs", tags=["checkpoints"])
REPORT_FILE = "report.json"


@router.get("/{job_id}/report", responses=route_responses(200, schemas.JobReport, 304, 404))
def read_report(
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    if_none_match: IfNoneMatch = None,
    checkpoint: Annotated[
        str | None, Query(pattern=CHECKPOINT_ID_PATTERN, description="A checkpoint's id; default: the best.")
    ] = None,
) -> Response:
    """Read what the evaluation of a checkpoint saw, head by head: confusion, classes, entities, errors."""
    row = checkpoints.acquire_for_reading(
        services.db, lambda session: _select_checkpoint(session, who.owner, job_id, checkpoint)
    )
    file = _report_file(row)
    headers = {"ETag": f'"{file["sha256"]}"'}
    if etag_matches(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    document = orjson.loads(b"".join(services.store.read(file["path"], 0, file["size"])))
    report = schemas.JobReport(job_id=job_id, checkpoint_id=row.id, **document)
    return JsonResponse(report.as_dict(), headers=headers)


def _select_checkpoint(session: Session, owner: str, job_id: str, checkpoint: str | None) -> CheckpointRow:
    job = repository.find(session, owner, job_id)
    if checkpoint is not None:
        row = checkpoints.find(session, owner, checkpoint)
        if row.job_id != job_id:
            raise NotFound(f"{checkpoint} is a checkpoint of another job", hint=f"ask for it at {row.job_id}")
        return row
    plan = parse_job(job.spec).training.checkpoint
    found = checkpoints.best_or_latest(session, job_id, plan.monitor, plan.mode, REPORT_FILE)
    if found is None:
        hint = "reports are made of held-out data, whenever it is evaluated and a checkpoint is saved"
        raise NotFound(f"no checkpoint of {job_id} has a report", hint=hint)
    return found


def _report_file(row: CheckpointRow) -> Mapping[str, Any]:
    for file in row.files:
        if file["public"] and file["name"] == REPORT_FILE:
            found: Mapping[str, Any] = file
            return found
    hint = "reports are made whenever held-out data is evaluated and a checkpoint is saved"
    raise NotFound(f"{row.id} has no report", hint=hint)
