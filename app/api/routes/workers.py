"""Workers: who trains, and whether they still listen. For those who run the service."""

import time

from fastapi import APIRouter
from starlette.responses import Response

from app import heartbeat
from app.api import schemas
from app.api.auth import Admin
from app.api.http.responses import Json
from app.api.openapi import answers
from app.api.services import Part
from app.db.clock import clock

router = APIRouter(prefix="/v1/workers", tags=["workers"])


@router.get("", responses=answers(200, schemas.WorkerPage))
def list_workers(who: Admin, services: Part) -> Response:
    """List the workers of the last hour, and how far this API's clock is ahead of the database's."""
    skew = time.time() - services.db.read(clock)
    patience = services.settings.deaf_seconds / 2
    rows = services.db.read(heartbeat.listed)
    items = [schemas.Worker.of(row, seconds, patience) for row, seconds in rows]
    return Json(schemas.WorkerPage(items=items, clock_skew_seconds=round(skew, 3)).plain())
