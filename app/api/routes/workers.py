"""Workers and their state, for operators."""

import time

from fastapi import APIRouter
from starlette.responses import Response

from app import heartbeat
from app.api import schemas
from app.api.auth import AdminPrincipal
from app.api.http.responses import JsonResponse
from app.api.openapi.routes import route_responses
from app.api.services import ServicesDep
from app.db.clock import database_time

router = APIRouter(prefix="/v1/workers", tags=["workers"])


@router.get("", responses=route_responses(200, schemas.WorkerPage))
def list_workers(who: AdminPrincipal, services: ServicesDep) -> Response:
    """List the workers of the last hour, and how far this API's clock is ahead of the database's."""
    skew = time.time() - services.db.read(database_time)
    max_deaf = services.settings.deaf_seconds / 2
    rows = services.db.read(heartbeat.list_workers)
    items = [schemas.Worker.from_row(row, seconds, max_deaf) for row, seconds in rows]
    return JsonResponse(schemas.WorkerPage(items=items, clock_skew_seconds=round(skew, 3)).as_dict())
