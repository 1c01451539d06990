"""Events of a job: as pages, and as a stream."""

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
from app.api.auth import ReadPrincipal
from app.api.http.parameters import JobId, PageLimit, next_page_headers
from app.api.http.responses import JsonResponse, json_number
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import route_responses
from app.api.services import Services, ServicesDep
from app.db.tables import EventRow
from app.errors import NotFound, ServiceOverloaded, Unavailable
from app.events import EventKind
from app.jobs import repository
from app.jobs.states import TERMINAL_STATUSES
from app.spec.base import MAX_INT64

router = APIRouter(prefix="/v1/jobs", tags=["events"])
BATCH_SIZE = 200  # events read at a time
PING_SECONDS = 15.0
DATABASE_RETRY_SECONDS = 2.0


@router.get("/{job_id}/events", responses=route_responses(200, schemas.EventPage, 404))
def list_events(
    request: Request,
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    limit: PageLimit = 100,
    after: Annotated[int, Query(ge=0, le=MAX_INT64, description="Number of the last event that is known.")] = 0,
) -> Response:
    """List events, oldest first."""

    def unit(session: Session) -> schemas.EventPage:
        repository.find(session, who.owner, job_id)
        rows = events.list_events(session, job_id, after, limit + 1)
        return schemas.EventPage(
            items=[schemas.Event.from_row(row) for row in rows[:limit]], has_more=len(rows) > limit
        )

    page = services.db.read(unit)
    return JsonResponse(
        page.as_dict(), headers=next_page_headers(request, page.has_more, page.items[-1].id if page.items else 0)
    )


@router.get(
    "/{job_id}/stream",
    dependencies=[in_lane(Lane.STREAM)],
    responses=route_responses(200, None, 404, media=("text/event-stream",)),
)
async def stream_events(
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    last_event_id: Annotated[
        int, Header(ge=0, le=MAX_INT64, description="Go on after this event; from the start if there is no such event.")
    ] = 0,
) -> Response:
    """Stream events as server-sent events: `id` is the event's number, `done` is the last one.

    Events of the kind `metrics` carry their points.
    """
    last = await run_in_threadpool(services.db.read, _last_event, who.owner, job_id)
    if services.job_watcher.open_streams >= services.settings.max_streams:
        raise ServiceOverloaded(f"{services.settings.max_streams} streams are open already; try again later")
    return EventSourceResponse(
        _event_stream(services, who.owner, job_id, last_event_id, last), headers={"X-Accel-Buffering": "no"}
    )


def _last_event(session: Session, owner: str, job_id: str) -> int:
    return repository.find(session, owner, job_id).last_seq


async def _event_stream(services: Services, owner: str, job_id: str, seq: int, last: int) -> AsyncIterator[bytes]:
    """Yield the events after `seq`, or all where that is beyond the `last` one, as after a backup was restored."""
    services.job_watcher.open_streams += 1
    try:
        if seq > last:
            yield format_sse_event(comment=f"there is no event {seq}, the last one is {last}: from the start")
            seq = 0
        while True:
            try:
                batch, status, version = await run_in_threadpool(services.db.read, _read_new_events, owner, job_id, seq)
            except Unavailable:
                yield format_sse_event(comment="the database does not answer")
                await services.job_watcher.wait_for_change(job_id, -1, DATABASE_RETRY_SECONDS)
                continue
            for number_, kind, data in batch:
                yield format_sse_event(data_str=data, event=kind, id=str(number_))
                seq = number_
            if len(batch) == BATCH_SIZE:
                continue
            if status is None or status in TERMINAL_STATUSES:
                data = orjson.dumps({"status": status}).decode()
                yield format_sse_event(data_str=data, event="done", id=str(seq))
                return
            if not await services.job_watcher.wait_for_change(job_id, version, PING_SECONDS):
                yield format_sse_event(comment="ping")
    finally:
        services.job_watcher.open_streams -= 1


def _read_new_events(
    session: Session, owner: str, job_id: str, seq: int
) -> tuple[list[tuple[int, str, str]], str | None, int]:
    """Return (number, kind, JSON) of the events after `seq`, and the job's status (`None`: deleted) and version."""
    try:
        job = repository.find(session, owner, job_id)  # first: a status read later could be newer than the events
    except NotFound:
        return [], None, -1
    rows = events.list_events(session, job_id, seq, BATCH_SIZE)
    batch = [(row.seq, row.kind, orjson.dumps(_event_data(session, row)).decode()) for row in rows]
    return batch, job.status, job.version


def _event_data(session: Session, row: EventRow) -> dict[str, Any]:
    """Return an event's data; of new points, the points themselves."""
    if row.kind != EventKind.METRICS:
        return row.data
    series = {}
    for name, (start, stop) in row.data["series"].items():
        points = curves.read_points(session, row.job_id, name, start, stop)
        series[name] = {
            "step": points["step"].tolist(),
            "value": [json_number(value) for value in points["value"].tolist()],
        }
    return row.data | {"points": series}
