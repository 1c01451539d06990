"""What happened to a job: as a list, and as it happens."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request
from fastapi.sse import EventSourceResponse, format_sse_event
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app import curves, events
from app.api import schemas
from app.api.auth import Reader
from app.api.http.parameters import LARGEST, JobId, Limit, following
from app.api.http.responses import Json, number
from app.api.openapi import answers
from app.api.services import Part, Services
from app.db.tables import EventRow
from app.errors import NotFound, Overloaded, Unavailable
from app.events import EventKind
from app.jobs import repository
from app.jobs.states import ENDED

router = APIRouter(prefix="/v1/jobs", tags=["events"])
BATCH = 200  # events read at a time
PING_SECONDS = 15.0
AWAY_SECONDS = 2.0


@router.get("/{job_id}/events", responses=answers(200, schemas.EventPage, 404))
def list_events(
    request: Request,
    job_id: JobId,
    who: Reader,
    services: Part,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="Number of the last event that is known.")] = 0,
) -> Response:
    """List events, oldest first."""

    def unit(session: Session) -> schemas.EventPage:
        repository.find(session, who.owner, job_id)
        rows = events.after(session, job_id, after, limit + 1)
        return schemas.EventPage(items=[schemas.Event.of(row) for row in rows[:limit]], has_more=len(rows) > limit)

    page = services.db.read(unit)
    return Json(page.plain(), headers=following(request, page.has_more, page.items[-1].id if page.items else 0))


@router.get("/{job_id}/stream", responses=answers(200, None, 404, media=("text/event-stream",)))
async def stream_events(
    job_id: JobId,
    who: Reader,
    services: Part,
    last_event_id: Annotated[int, Header(ge=0, le=LARGEST, description="Go on after this event.")] = 0,
) -> Response:
    """Tell what happens, as server-sent events: `id` is the event's number, `done` is the last.

    Events of the kind `metrics` carry their points.
    """
    await run_in_threadpool(services.db.read, repository.find, who.owner, job_id)
    if services.watcher.streams >= services.settings.max_streams:
        raise Overloaded(f"{services.settings.max_streams} streams are open already; try again later")
    return EventSourceResponse(_story(services, who.owner, job_id, last_event_id), headers={"X-Accel-Buffering": "no"})


async def _story(services: Services, owner: str, job_id: str, seq: int) -> AsyncIterator[bytes]:
    services.watcher.streams += 1
    try:
        while True:
            try:
                told, status, version = await run_in_threadpool(services.db.read, _news, owner, job_id, seq)
            except Unavailable:
                yield format_sse_event(comment="the database does not answer")
                await services.watcher.changed(job_id, -1, AWAY_SECONDS)
                continue
            for number_, kind, data in told:
                yield format_sse_event(data_str=data, event=kind, id=str(number_))
                seq = number_
            if len(told) == BATCH:
                continue
            if status is None or status in ENDED:
                data = orjson.dumps({"status": status}).decode()
                yield format_sse_event(data_str=data, event="done", id=str(seq))
                return
            if not await services.watcher.changed(job_id, version, PING_SECONDS):
                yield format_sse_event(comment="ping")
    finally:
        services.watcher.streams -= 1


def _news(session: Session, owner: str, job_id: str, seq: int) -> tuple[list[tuple[int, str, str]], str | None, int]:
    """Return (number, kind, data as JSON) of what follows `seq`, and the job's status (`None`: deleted) and version."""
    try:
        job = repository.find(session, owner, job_id)  # first: a status read later could be newer than the events
    except NotFound:
        return [], None, -1
    rows = events.after(session, job_id, seq, BATCH)
    told = [(row.seq, row.kind, orjson.dumps(_told(session, row)).decode()) for row in rows]
    return told, job.status, job.version


def _told(session: Session, row: EventRow) -> dict[str, Any]:
    """Return an event's data; of new points, the points themselves."""
    if row.kind != EventKind.METRICS:
        return row.data
    points = {}
    for name, (start, stop) in row.data["series"].items():
        found = curves.points(session, row.job_id, name, start, stop)
        points[name] = {"step": found["step"].tolist(), "value": [number(value) for value in found["value"].tolist()]}
    return row.data | {"points": points}
