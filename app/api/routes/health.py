"""Liveness, readiness, and metrics."""

from importlib.metadata import version

from fastapi import APIRouter, Depends, Request
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.api import schemas
from app.api.auth import enter_lane
from app.api.http.responses import JsonResponse
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import PUBLIC_STATUSES, route_responses
from app.api.services import ServicesDep
from app.db import revisions
from app.db.tables import IdempotencyRow
from app.errors import Unavailable

router = APIRouter(tags=["health"])
VERSION = version("graftwerk")
PUBLIC = [in_lane(Lane.HEALTH), Depends(enter_lane)]


@router.get("/livez", responses=route_responses(200, schemas.Liveness, always=(400, 500)))
async def livez() -> Response:
    """Answer as long as the process lives; uses nothing else."""
    return JsonResponse(schemas.Liveness().as_dict())


@router.get("/readyz", dependencies=PUBLIC, responses=route_responses(200, schemas.Readiness, always=PUBLIC_STATUSES))
def readyz(services: ServicesDep) -> Response:
    """Say whether jobs can be accepted: the database takes writes, has room, and has this version's tables."""
    unfit = revisions.revision_mismatch(services.db)
    if unfit is not None:
        raise Unavailable(unfit[0], hint=unfit[1])
    services.db.run(_check_writable)
    services.db.check_room()
    database = f"{services.db.url.get_backend_name()} at {revisions.head_revision()}"
    return JsonResponse(schemas.Readiness(version=VERSION, database=database).as_dict())


def _check_writable(session: Session) -> None:
    """Write a row, and roll it back."""
    row = IdempotencyRow(owner="", key="readyz", digest="", status=0, body={})
    session.add(row)
    session.flush()
    session.delete(row)


@router.get(
    "/metrics", dependencies=PUBLIC, responses=route_responses(200, None, media=("text/plain",), always=PUBLIC_STATUSES)
)
def prometheus(request: Request) -> Response:
    """Return metrics in the format of Prometheus."""
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)
