"""Whether the service lives, whether it can do its work, and how it does."""

from importlib.metadata import version

from fastapi import APIRouter, Request
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.api import schemas
from app.api.http.responses import Json
from app.api.openapi import OPEN, answers
from app.api.services import Part
from app.db import migrate
from app.db.tables import IdempotencyRow
from app.errors import Unavailable

router = APIRouter(tags=["health"])
VERSION = version("graftwerk")


@router.get("/livez", responses=answers(200, schemas.Liveness, always=(400, 500)))
async def livez() -> Response:
    """Answer as long as the process lives; touches nothing else."""
    return Json(schemas.Liveness().plain())


@router.get("/readyz", responses=answers(200, schemas.Readiness, always=OPEN))
def readyz(services: Part) -> Response:
    """Say whether jobs can be accepted: the database takes writes and has this version's tables."""
    unfit = migrate.unfit(services.db)
    if unfit is not None:
        raise Unavailable(unfit[0], hint=unfit[1])
    services.db.run(_write)
    database = f"{services.db.url.get_backend_name()} at {migrate.head()}"
    return Json(schemas.Readiness(version=VERSION, database=database).plain())


def _write(session: Session) -> None:
    """Write, and take it back in the same transaction."""
    row = IdempotencyRow(owner="", key="readyz", digest="", status=0, body={})
    session.add(row)
    session.flush()
    session.delete(row)


@router.get("/metrics", responses=answers(200, None, media=("text/plain",), always=OPEN))
def prometheus(request: Request) -> Response:
    """Tell figures for Prometheus."""
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)
