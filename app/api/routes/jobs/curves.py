"""Curves: in buckets as JSON, or every point as CSV or lines of JSON."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from fastapi import APIRouter, Header, Query
from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from app import curves
from app.api import schemas
from app.api.auth import Reader
from app.api.http.parameters import JobId
from app.api.http.responses import Json, number
from app.api.openapi import answers
from app.api.services import Part
from app.db.session import Database
from app.errors import NotFound
from app.jobs import repository
from app.jobs.states import ENDED
from app.spec.problems import nearest

router = APIRouter(prefix="/v1/jobs", tags=["metrics"])
CSV, LINES = "text/csv", "application/x-ndjson"
PIECE = 16 * curves.CHUNK  # points read and written at a time
COLUMNS = ("x", "step", "min", "max", "last")


@router.get("/{job_id}/metrics", responses=answers(200, schemas.Curves, 404, media=(CSV, LINES)))
def read_metrics(
    job_id: JobId,
    who: Reader,
    services: Part,
    names: Annotated[str | None, Query(max_length=4000, description="Separated by commas; default: all.")] = None,
    x: Annotated[Literal["step", "epoch", "elapsed", "time"], Query(description="What from, to and x count.")] = "step",
    from_: Annotated[float | None, Query(alias="from", allow_inf_nan=False, description="Least x.")] = None,
    to: Annotated[float | None, Query(allow_inf_nan=False, description="Largest x.")] = None,
    max_points: Annotated[int, Query(ge=1, le=100_000, description="Most buckets of a series.")] = 1500,
    smooth: Annotated[float, Query(ge=0, lt=1, description="Weight of a debiased moving average.")] = 0.0,
    accept: Annotated[str, Header(description="text/csv or application/x-ndjson for every point.")] = "*/*",
) -> Response:
    """Read curves in buckets of minimum, maximum and last; or every point, as CSV or lines of JSON."""
    wanted = names.split(",") if names else None
    if CSV in accept or LINES in accept:
        chosen = services.db.read(_chosen, who.owner, job_id, wanted)
        kind = CSV if CSV in accept else LINES
        return StreamingResponse(_every_point(services.db, job_id, chosen, kind), media_type=kind)

    def unit(session: Session) -> dict[str, dict[str, Any]]:
        chosen = _chosen(session, who.owner, job_id, wanted)
        per_epoch = repository.find(session, who.owner, job_id).progress.get("steps_per_epoch") or 1
        bounds: dict[str, Any] = {"low": from_, "high": to, "smooth": smooth, "steps_per_epoch": per_epoch}
        return curves.buckets(session, job_id, chosen, max_points=max_points, axis=x, **bounds)

    series = {name: _plain(columns) for name, columns in services.db.read(unit).items()}
    return Json({"x": x, "series": series})


def _chosen(session: Session, owner: str, job_id: str, wanted: Sequence[str] | None) -> list[str]:
    """Return the names of the series to tell; raises `NotFound` for one that the job does not have and will not."""
    job = repository.find(session, owner, job_id)
    known = curves.names(session, job_id)
    for name in wanted or ():
        may_come = job.status not in ENDED and (not known or name.startswith(("train/", "val/")))
        if name not in known and not may_come:
            raise NotFound(f'{job.id} has no series "{name}"', hint=nearest(name, known) or ", ".join(known))
    return known if wanted is None else list(dict.fromkeys(wanted))


def _plain(columns: dict[str, Any]) -> dict[str, Any]:
    """Return columns that JSON can say: where all is finite the arrays themselves, which is fast."""
    return {
        name: [number(value) for value in column.tolist()]
        if name in COLUMNS and not np.isfinite(column).all()
        else column
        for name, column in columns.items()
    }


def _every_point(db: Database, job_id: str, names: Sequence[str], kind: str) -> Iterator[bytes]:
    if kind == CSV:
        yield b"series,step,value,time,elapsed\n"
    for name in names:
        start = 0
        while len(points := db.read(curves.points, job_id, name, start, start + PIECE)):
            yield (_csv if kind == CSV else _lines)(name, points)
            start += len(points)


def _csv(name: str, points: curves.Points) -> bytes:
    rows = zip(*(points[column].tolist() for column in ("step", "value", "time", "elapsed")), strict=True)
    return "".join([f"{name},{step},{value!r},{time!r},{elapsed!r}\n" for step, value, time, elapsed in rows]).encode()


def _lines(name: str, points: curves.Points) -> bytes:
    rows = zip(*(points[column].tolist() for column in ("step", "value", "time", "elapsed")), strict=True)
    return b"".join(
        orjson.dumps({"series": name, "step": step, "value": number(value), "time": time, "elapsed": elapsed},
                     option=orjson.OPT_APPEND_NEWLINE)
        for step, value, time, elapsed in rows
    )  # fmt: skip
