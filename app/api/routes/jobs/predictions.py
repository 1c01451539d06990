"""Predictions of a job's network."""

from typing import Annotated

from fastapi import APIRouter, Header, Query
from pydantic import ValidationError
from starlette.responses import Response

from app.api import schemas
from app.api.auth import Reader
from app.api.children.predictions import Rows, predicted
from app.api.http.parameters import JobId
from app.api.openapi import ROWS_BODY, answers
from app.api.services import Part
from app.errors import Malformed
from app.spec.prediction import CHECKPOINT, LARGEST_BATCH, Asked
from app.spec.problems import from_validation

router = APIRouter(prefix="/v1/jobs", tags=["predictions"])
CSV = "text/csv"


@router.post(
    "/{job_id}/predict",
    openapi_extra=ROWS_BODY,
    responses=answers(200, schemas.Predictions, 404, 409, 413, 415, 422, 507, media=(CSV,)),
)
def predict(
    job_id: JobId,
    who: Reader,
    services: Part,
    rows: Rows,
    checkpoint: Annotated[
        str | None, Query(pattern=CHECKPOINT, description="One of the job's; default: the best, or else the newest.")
    ] = None,
    outputs: Annotated[
        str | None, Query(max_length=100, description="labels, probabilities, raw; separated by commas.")
    ] = None,
    top: Annotated[int | None, Query(ge=1, le=100, description="Also the so many most probable labels.")] = None,
    batch_size: Annotated[
        int | None, Query(ge=1, le=LARGEST_BATCH, description="Rows that the network sees at once.")
    ] = None,
    accept: Annotated[str, Header(description="text/csv for a table.")] = "*/*",
) -> Response:
    """Tell what the job's network makes of rows: those in the body, or in a file of the data set's own form.

    Rows are prepared as in training; targets are not needed. Parameters are for files: a JSON body says it itself.
    """
    given = {"checkpoint": checkpoint, "outputs": outputs and outputs.split(","), "top": top, "batch_size": batch_size}
    try:
        asked = Asked.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        (first, *_) = from_validation(error, given)
        raise Malformed(f"{first.pointer[1:]}: {first.detail}", hint=first.hint) from None
    table = CSV in accept
    content = predicted(services, who.owner, job_id, rows, asked, table)
    return Response(content, media_type=CSV if table else "application/json")
