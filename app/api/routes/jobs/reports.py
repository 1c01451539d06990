"""Reports of evaluations."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from app import checkpoints
from app.api import schemas
from app.api.auth import ReadPrincipal
from app.api.http.parameters import IfNoneMatch, JobId, etag_matches
from app.api.http.responses import JsonResponse
from app.api.openapi.routes import route_responses
from app.api.services import ServicesDep
from app.db.tables import CheckpointRow
from app.errors import NotFound
from app.ids import CHECKPOINT_ID_PATTERN
from app.jobs import repository
from app.storage.protocol import ArtifactStore

router = APIRouter(prefix="/v1/jobs", tags=["checkpoints"])
REPORT_FILE, TEST_REPORT_FILE = "report.json", "test_report.json"
NO_REPORT_HINT = (
    "reports are written whenever held-out data is evaluated and a checkpoint is saved, of outputs that are compared "
    "with a target, and of environments"
)


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
    """Read the report of a checkpoint's evaluation: head by head, or the episodes that its network has played."""
    row = checkpoints.acquire_for_reading(
        services.db, lambda session: _select_checkpoint(session, who.owner, job_id, checkpoint)
    )
    tested = services.db.read(_tested_checkpoint, job_id)
    file = checkpoints.public_files(row).get(REPORT_FILE)
    test_file = checkpoints.public_files(tested)[TEST_REPORT_FILE] if tested is not None else None
    if file is None and test_file is None:
        raise NotFound(f"{row.id} has no report", hint=NO_REPORT_HINT)
    headers = {"ETag": f'"{"-".join(each["sha256"] for each in (file, test_file) if each is not None)}"'}
    if etag_matches(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    document = {"version": 1, "step": row.step, "rows": 0, "heads": []}
    if file is not None:
        document = _read_json(services.store, file)
    test = None
    if tested is not None and test_file is not None:
        content = _read_json(services.store, test_file)
        fields = {name: content[name] for name in ("step", "rows", "values", "heads")}
        test = schemas.JobTest(checkpoint_id=content["checkpoint"] or tested.id, **fields)
    report = schemas.JobReport(job_id=job_id, checkpoint_id=row.id, **document, test=test)
    return JsonResponse(report.as_dict(), headers=headers)


def _read_json(store: ArtifactStore, file: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(b"".join(store.read(file["path"], 0, file["size"])))
    return document


def _tested_checkpoint(session: Session, job_id: str) -> CheckpointRow | None:
    """Return the final checkpoint, if it has the report of the test."""
    rows = checkpoints.list_checkpoints(session, job_id)
    return next((row for row in rows if row.final and TEST_REPORT_FILE in checkpoints.public_files(row)), None)


def _select_checkpoint(session: Session, owner: str, job_id: str, checkpoint: str | None) -> CheckpointRow:
    job = repository.find(session, owner, job_id)
    if checkpoint is not None:
        row = checkpoints.find(session, owner, checkpoint)
        if row.job_id != job_id:
            raise NotFound(f"{checkpoint} is a checkpoint of another job", hint=f"ask for it at {row.job_id}")
        return row
    best = checkpoints.best_by_plan(session, job, REPORT_FILE) or _tested_checkpoint(session, job_id)
    if best is None:
        raise NotFound(f"no checkpoint of {job_id} has a report", hint=NO_REPORT_HINT)
    return best
