"""Evaluations of a job's network on labelled data sets."""

from fastapi import APIRouter
from starlette.responses import Response

from app.api import schemas
from app.api.auth import ReadPrincipal
from app.api.children.evaluations import evaluate
from app.api.http.bodies import RequestBodyDep
from app.api.http.parameters import JobId
from app.api.http.responses import JsonResponse
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import EVALUATION_BODY, route_responses
from app.api.services import ServicesDep
from app.spec.prediction import EvaluationRequest

router = APIRouter(prefix="/v1/jobs", tags=["predictions"])


@router.post(
    "/{job_id}/evaluate",
    dependencies=[in_lane(Lane.PREDICTION)],
    openapi_extra=EVALUATION_BODY,
    responses=route_responses(200, schemas.JobEvaluation, 404, 409, 413, 415, 422, 507),
)
def evaluate_job(job_id: JobId, who: ReadPrincipal, services: ServicesDep, body: RequestBodyDep) -> Response:
    """Evaluate the job's network on a labelled data set: the loss, the job's metrics and the report.

    The data set has the columns that the job reads and compares with, which are parsed and prepared as in training.
    """
    figures = evaluate(services, who.owner, job_id, body.validate_as(EvaluationRequest))
    return JsonResponse(schemas.JobEvaluation.model_validate(figures).as_dict())
