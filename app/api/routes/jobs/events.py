"""Events of a job: as pages, and as a stream."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.sse import EventSourceResponse
from sqlalchemy.orm import Session
from starlette.responses import Response

from app import events
from app.api import schemas
from app.api.auth import ReadPrincipal, request_credential
from app.api.http.parameters import JobId, PageLimit, SearchText, next_page_headers
from app.api.http.responses import JsonResponse
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import route_responses
from app.api.services import ServicesDep
from app.jobs import repository
from app.spec.base import MAX_INT64

router = APIRouter(prefix="/v1/jobs", tags=["events"])


@router.get("/{job_id}/events", responses=route_responses(200, schemas.EventPage, 404))
def list_events(
    request: Request,
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    limit: PageLimit = 100,
    after: Annotated[int, Query(ge=0, le=MAX_INT64, description="Number of the last event that is known.")] = 0,
    kinds: Annotated[
        SearchText | None, Query(max_length=1000, description="Separated by commas; default: all.")
    ] = None,
) -> Response:
    """List events, oldest first."""

    def unit(session: Session) -> schemas.EventPage:
        repository.find(session, who.owner, job_id)
        rows = events.list_events(session, job_id, after, limit + 1, kinds.split(",") if kinds else None)
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
    request: Request,
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    last_event_id: Annotated[
        int, Header(ge=0, le=MAX_INT64, description="Go on after this event; from the start if there is no such event.")
    ] = 0,
) -> Response:
    """Stream events as server-sent events: `id` is the event's number, `done` is the last one.

    Events of the kind `metrics` carry their points. The stream ends without `done` once its key is no longer valid.
    """
    watch = services.job_watcher.watch(job_id, who.owner, request_credential(request, who))
    with watch:
        await watch.look()
    stream = services.event_streams.stream(watch, last_event_id)
    return EventSourceResponse(stream, headers={"X-Accel-Buffering": "no"})
