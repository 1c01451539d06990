"""Inspection of networks without data or a plan."""

from fastapi import APIRouter
from starlette.responses import Response

from app.api import schemas
from app.api.auth import ReadPrincipal
from app.api.http.bodies import RequestBodyDep
from app.api.http.responses import JsonResponse
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import QUESTION_BODY, route_responses
from app.api.services import ServicesDep

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.post(
    "/inspect",
    dependencies=[in_lane(Lane.INSPECTION)],
    openapi_extra=QUESTION_BODY,
    responses=route_responses(200, schemas.Inspection, 413, 415, 422),
)
def inspect_model(who: ReadPrincipal, services: ServicesDep, body: RequestBodyDep) -> Response:
    """Inspect a network: shapes, parameters and operations, node by node.

    On wish also the graph of backward, whether every gradient is right, and the outputs and gradients for given values.
    """
    return JsonResponse(services.inspector.inspect_model(body.document()))
