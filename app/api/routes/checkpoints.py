"""Checkpoints and their files."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from app import checkpoints
from app.api import schemas
from app.api.answers import Json
from app.api.auth import Reader
from app.api.openapi import answers
from app.api.parameters import CheckpointId, IfNoneMatch, JobId, matches
from app.api.services import Part
from app.db.tables import CheckpointRow
from app.errors import NotFound, RangeOutside
from app.jobs import repository
from app.spec.job import parse_job
from app.storage.protocol import ArtifactStore

router = APIRouter(prefix="/v1", tags=["checkpoints"])
CONTENT = ("application/octet-stream", "text/x-python")
MEDIA_TYPES = {"model.py": "text/x-python; charset=utf-8"}
Range = Annotated[str | None, Header(alias="Range", description="bytes=FIRST-LAST: a part of the file, 206 then.")]
IfRange = Annotated[str | None, Header(description="The ETag that the range is of; for another the whole is sent.")]
Format = Literal["safetensors", "pth"]
HEAD = answers(200, None, 304, 404, media=CONTENT)
FILE = HEAD | answers(206, None, 416, media=CONTENT)
_ONE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


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
    request: Request,
    checkpoint_id: CheckpointId,
    name: Annotated[str, Path(max_length=100, description="A file's name.")],
    who: Reader,
    services: Part,
    range_: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Download a file, whole or a range of it. Its ETag is its SHA-256."""
    row = services.db.read(checkpoints.find, who.owner, checkpoint_id)
    return _file(services.store, request.method, row, name, range_, if_range, if_none_match)


@router.head("/jobs/{job_id}/weights", operation_id="describe_weights", responses=HEAD)
@router.get("/jobs/{job_id}/weights", operation_id="download_weights", responses=FILE)
def download_weights(
    request: Request,
    job_id: JobId,
    who: Reader,
    services: Part,
    which: Annotated[Literal["best", "latest"], Query(description="Best by the spec's monitor, or newest.")] = "best",
    format_: Annotated[Format, Query(alias="format", description="Of the file.")] = "safetensors",
    range_: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Download the best or the latest weights. Where nothing was evaluated the latest are the best."""
    row = services.db.read(_chosen, who.owner, job_id, which)
    return _file(services.store, request.method, row, f"weights.{format_}", range_, if_range, if_none_match)


def _chosen(session: Session, owner: str, job_id: str, which: str) -> CheckpointRow:
    job = repository.find(session, owner, job_id)
    plan = parse_job(job.spec).training.checkpoint
    best = checkpoints.best(session, job_id, plan.monitor, plan.mode) if which == "best" else None
    found = best or next(iter(checkpoints.listed(session, job_id)), None)
    if found is None:
        raise NotFound(f"{job_id} has no checkpoint yet", hint="wait until it has trained for a while")
    return found


def _file(
    store: ArtifactStore, method: str, row: CheckpointRow, name: str, range_: str | None, if_range: str | None,
    if_none_match: str | None,
) -> Response:  # fmt: skip
    offered = {file["name"]: file for file in row.files if file["public"]}
    if name not in offered:
        raise NotFound(f'{row.id} has no file "{name}"', hint="one of: " + ", ".join(offered))
    file = offered[name]
    headers = _headers(file)
    if matches(headers["ETag"], if_none_match):
        return Response(status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control")})
    partial = method == "GET" and if_range in (None, headers["ETag"])  # only GET knows ranges (RFC 9110)
    asked = _range(range_, file["size"]) if partial else None
    start, stop = asked or (0, file["size"])
    if asked is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file['size']}"
    headers["Content-Length"] = str(stop - start)
    status = 200 if asked is None else 206
    if method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=headers["Content-Type"])
    return StreamingResponse(store.read(file["path"], start, stop), status, headers=headers)


def _headers(file: Mapping[str, Any]) -> dict[str, str]:
    return {
        "ETag": f'"{file["sha256"]}"',
        "Accept-Ranges": "bytes",
        "Content-Type": MEDIA_TYPES.get(file["name"], "application/octet-stream"),
        "Content-Disposition": f'attachment; filename="{file["name"]}"',
        "Cache-Control": "private, max-age=31536000, immutable",
    }


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return [start, stop) of a single range; `None` for none, or for what RFC 9110 lets a server ignore.

    Raises `RangeOutside`.
    """
    found = _ONE_RANGE.fullmatch(header.replace(" ", "")) if header is not None else None
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":  # the last so many bytes
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
        if found[2] and int(found[2]) < start:
            return None
    if start >= stop:
        raise RangeOutside(size)
    return start, stop
