"""Networks alone: what they are, before anything is trained."""

from fastapi import APIRouter
from starlette.responses import Response

from app.api import schemas
from app.api.auth import Reader
from app.api.http.bodies import Sent
from app.api.http.responses import Json
from app.api.openapi import QUESTION_BODY, answers
from app.api.services import Part

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.post("/inspect", openapi_extra=QUESTION_BODY, responses=answers(200, schemas.Inspection, 413, 415, 422))
def inspect_model(who: Reader, services: Part, body: Sent) -> Response:
    """Tell a network's shapes, parameters and operations, node by node.

    On wish also the graph of backward, whether every gradient is right, and the outputs and gradients for given values.
    """
    return Json(services.inspector.ask(body.document()))
