"""Predictions of a job's network."""

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Header, Query
from pydantic import ValidationError
from starlette.responses import Response

from app.api import schemas
from app.api.auth import ReadPrincipal
from app.api.children.predictions import RowsFileDep, predict_rows
from app.api.http.bodies import SPOOLED_BODY
from app.api.http.parameters import InvalidParameter, JobId, parse_json_parameter
from app.api.lanes import Lane, in_lane
from app.api.openapi.routes import PREDICTION_BODY, route_responses
from app.api.services import ServicesDep
from app.ids import CHECKPOINT_ID_PATTERN
from app.spec.base import MAX_INT64, NAME_PATTERN
from app.spec.prediction import MAX_BATCH_SIZE, OutputForm, PredictionOptions
from app.spec.problems import from_validation

router = APIRouter(prefix="/v1/jobs", tags=["predictions"])
CSV = "text/csv"
MAX_GENERATE_DEPTH = 8  # of JSON in a parameter
_FORM = "|".join(get_args(OutputForm))
OUTPUTS_PATTERN = rf"^({_FORM})(,({_FORM})){{0,3}}$"
_NAME = NAME_PATTERN.strip("^$")
NAMES_PATTERN = rf"^{_NAME}(,{_NAME}){{0,63}}$"


@router.post(
    "/{job_id}/predict",
    dependencies=[in_lane(Lane.PREDICTION), SPOOLED_BODY],
    openapi_extra=PREDICTION_BODY,
    responses=route_responses(200, schemas.Predictions, 404, 409, 413, 415, 422, 507, media=(CSV,)),
)
def predict(
    job_id: JobId,
    who: ReadPrincipal,
    services: ServicesDep,
    rows: RowsFileDep,
    checkpoint: Annotated[
        str | None,
        Query(pattern=CHECKPOINT_ID_PATTERN, description="One of the job's; default: the best, or else the newest."),
    ] = None,
    outputs: Annotated[
        str | None, Query(pattern=OUTPUTS_PATTERN, description="labels, probabilities, raw, image: with commas.")
    ] = None,
    select: Annotated[
        str | None, Query(pattern=NAMES_PATTERN, description="Outputs of the network; separated by commas.")
    ] = None,
    seed: Annotated[
        int | None, Query(ge=0, le=MAX_INT64, description="Of networks that draw random numbers; default: 0.")
    ] = None,
    top: Annotated[
        int | None, Query(ge=1, le=100, description="Also the given number of most probable labels.")
    ] = None,
    batch_size: Annotated[
        int | None, Query(ge=1, le=MAX_BATCH_SIZE, description="Rows that the network sees at once.")
    ] = None,
    generate: Annotated[
        str | None,
        Query(
            max_length=2000, description='How texts go on, as JSON: {"method": "greedy", "max_length": 50}, or false.'
        ),
    ] = None,
    accept: Annotated[str, Header(description="text/csv for a table.")] = "*/*",
) -> Response:
    """Predict rows with the job's network: those of the body, or of a file in the data set's own format.

    Rows are prepared as in training; targets are not needed. Parameters are for files: a JSON body has fields for them.
    """
    lists = {"outputs": outputs and outputs.split(","), "select": select and select.split(",")}
    fields = {"checkpoint": checkpoint, **lists, "seed": seed, "top": top, "batch_size": batch_size}
    given: dict[str, Any] = {name: value for name, value in fields.items() if value}
    if generate is not None:
        given["generate"] = parse_json_parameter("generate", generate, MAX_GENERATE_DEPTH)
    try:
        options = PredictionOptions.model_validate(given)
    except ValidationError as error:
        raise InvalidParameter(from_validation(error, given, PredictionOptions)) from None
    table = CSV in accept
    content = predict_rows(services, who.owner, job_id, rows, options, table)
    return Response(content, media_type=CSV if table else "application/json")
