"""Curves: in buckets as JSON, or every point as CSV or lines of JSON."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Query
from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from app import curves
from app.api import schemas
from app.api.auth import ReadPrincipal
from app.api.http.parameters import JobId, SearchText
from app.api.http.responses import MAX_BUCKETS, JsonResponse, json_columns, json_number
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import route_responses
from app.api.services import ServicesDep
from app.db.session import Database
from app.errors import NotFound
from app.jobs import repository
from app.jobs.states import TERMINAL_STATUSES
from app.spec.hints.names import did_you_mean

router = APIRouter(prefix="/v1/jobs", tags=["metrics"])
CSV, NDJSON = "text/csv", "application/x-ndjson"
POINTS_PER_READ = 2 * curves.CHUNK_SIZE  # points read and written at a time


@router.get(
    "/{job_id}/metrics",
    dependencies=[in_lane(Lane.DOWNLOAD)],
    responses=route_responses(200, schemas.Curves, 404, media=(CSV, NDJSON)),
)
def read_metrics(
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    names: Annotated[
        SearchText | None, Query(max_length=4000, description="Separated by commas; default: all.")
    ] = None,
    x: Annotated[Literal["step", "epoch", "elapsed", "time"], Query(description="What from, to and x count.")] = "step",
    from_: Annotated[float | None, Query(alias="from", allow_inf_nan=False, description="Least x.")] = None,
    to: Annotated[float | None, Query(allow_inf_nan=False, description="Largest x.")] = None,
    max_points: Annotated[int, Query(ge=1, le=100_000, description="Most buckets of a series; fewer of many.")] = 1500,
    smooth: Annotated[float, Query(ge=0, lt=1, description="Weight of a debiased moving average.")] = 0.0,
    accept: Annotated[str, Header(description="text/csv or application/x-ndjson for every point.")] = "*/*",
) -> Response:
    """Read curves in buckets of minimum, maximum and last; or every point, as CSV or lines of JSON."""
    requested = names.split(",") if names else None
    if CSV in accept or NDJSON in accept:
        selected = services.db.read(_select_series, who.owner, job_id, requested)
        kind = CSV if CSV in accept else NDJSON
        return StreamingResponse(_stream_points(services.db, job_id, selected, kind), media_type=kind)

    def unit(session: Session) -> dict[str, dict[str, Any]]:
        selected = _select_series(session, who.owner, job_id, requested)
        per_epoch = repository.find(session, who.owner, job_id).progress.get("steps_per_epoch") or 1
        bounds: dict[str, Any] = {"low": from_, "high": to, "smooth": smooth, "steps_per_epoch": per_epoch}
        most = max(1, min(max_points, MAX_BUCKETS // max(1, len(selected))))
        return curves.downsample(session, job_id, selected, max_points=most, axis=x, **bounds)

    series = {name: json_columns(columns) for name, columns in services.db.read(unit).items()}
    return JsonResponse({"x": x, "series": series})


def _select_series(session: Session, owner: str, job_id: str, requested: Sequence[str] | None) -> list[str]:
    """Return the names of the selected series. Raises `NotFound` for one that the job never has."""
    job = repository.find(session, owner, job_id)
    known = curves.series_names(session, job_id)
    for name in requested or ():
        may_come = job.status not in TERMINAL_STATUSES and (not known or name.startswith(("train/", "val/")))
        if name not in known and not may_come:
            raise NotFound(f'{job.id} has no series "{name}"', hint=did_you_mean(name, known) or ", ".join(known))
    return known if requested is None else list(dict.fromkeys(requested))


def _stream_points(db: Database, job_id: str, names: Sequence[str], kind: str) -> Iterator[bytes]:
    if kind == CSV:
        yield b"series,step,value,time,elapsed\n"
    for name in names:
        start = 0
        while len(points := db.read(curves.read_points, job_id, name, start, start + POINTS_PER_READ)):
            yield (_format_csv if kind == CSV else _format_ndjson)(name, points)
            start += len(points)


def _format_csv(name: str, points: curves.Points) -> bytes:
    rows = zip(*(points[column].tolist() for column in ("step", "value", "time", "elapsed")), strict=True)
    return "".join([f"{name},{step},{value!r},{time!r},{elapsed!r}\n" for step, value, time, elapsed in rows]).encode()


def _format_ndjson(name: str, points: curves.Points) -> bytes:
    rows = zip(*(points[column].tolist() for column in ("step", "value", "time", "elapsed")), strict=True)
    return b"".join(
        orjson.dumps(
            {"series": name, "step": step, "value": json_number(value), "time": time, "elapsed": elapsed},
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for step, value, time, elapsed in rows
    )
