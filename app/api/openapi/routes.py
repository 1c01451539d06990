"""What routes declare: their request bodies, and their responses."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from app.api.openapi.schemas import SCHEMA_REF
from app.spec.prediction import ROW_FORMATS

PUBLIC_STATUSES = (400, 500, 503)  # of every route, those without a key too
COMMON_STATUSES = (*PUBLIC_STATUSES, 401, 403, 429)

# Responses that are the same wherever they occur: status → name, description.
SHARED_RESPONSES: Mapping[int, tuple[str, str]] = {
    304: ("NotModified", "Nothing has changed since the version in If-None-Match."),
    400: ("BadRequest", "A parameter is unknown or invalid, or the body cannot be read."),
    401: ("Unauthorized", "No API key, or one that is not valid."),
    403: ("Forbidden", "The key lacks the scope, a quota is used up, or a session's proof of its page is missing."),
    404: ("NotFound", "There is no such object, or it belongs to another owner."),
    408: ("RequestTimeout", "The body did not come in time; nothing of it is kept, and the connection is closed."),
    409: ("Conflict", "The object's state forbids it, or a request with the same Idempotency-Key is in progress."),
    412: ("PreconditionFailed", "The object has changed since the version in If-Match."),
    413: ("ContentTooLarge", "The body is too large."),
    415: ("UnsupportedMediaType", "The body has a media type that this route does not read."),
    416: ("RangeNotSatisfiable", "The file does not have these bytes."),
    422: ("Unprocessable", "The document has problems: all of them, each with its place."),
    429: ("TooManyRequests", "Too many requests with this key, or too many of its jobs are queued."),
    500: ("InternalError", "A fault of the service."),
    501: ("NotInstalled", "A package is missing that the operator could install."),
    503: ("Unavailable", "A part of the service is unavailable, or it is at its capacity."),
    507: ("StorageFull", "There is no room on the service's disk."),
}


def route_responses(
    status: int,
    model: type[BaseModel] | None,
    *others: int,
    media: Sequence[str] = (),
    headers: Mapping[str, Any] | None = None,
    always: Sequence[int] = COMMON_STATUSES,
) -> dict[int | str, dict[str, Any]]:
    """Return the responses of a route: its document, or bytes of other media types, and its problems.

    A body that may be too large (413) may also come too slowly (408).
    """
    responses: dict[int | str, dict[str, Any]] = {status: {"description": "Success."}}
    if model is not None:
        responses[status]["model"] = model
    if headers is not None:
        responses[status]["headers"] = dict(headers)
    if media:
        binary = {"schema": BINARY_SCHEMA}
        responses[status]["content"] = {name: {} if name == EVENT_STREAM else binary for name in media}
    body_timeout = {408} if 413 in others else set[int]()
    for other in sorted({*others, *always, *body_timeout}):
        responses[other] = {"description": SHARED_RESPONSES[other][1]}
    return responses


# Of the description of the API itself.
DOCUMENT_RESPONSES = route_responses(200, None, 304)
DOCUMENT_RESPONSES[200]["content"] = {"application/json": {"schema": {"$ref": SCHEMA_REF.format(model="JsonObject")}}}
EVENT_STREAM = "text/event-stream"  # a schema would be one of its events
BINARY_SCHEMA = {"type": "string", "format": "binary"}


def _request_body(model: str, required: bool = True) -> dict[str, Any]:
    schema = {"schema": {"$ref": SCHEMA_REF.format(model=model)}}
    return {"requestBody": {"required": required, "content": {"application/json": schema, "application/yaml": schema}}}


JOB_BODY = _request_body("JobSpec")
DATASET_BODY = _request_body("NewDataset")
KEY_BODY = _request_body("KeyRequest")
WEBHOOK_BODY = _request_body("WebhookRequest")
KEY_CHANGE_BODY = _request_body("KeyChange")
SIGN_IN_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": SCHEMA_REF.format(model="SignIn")}}},
    }
}
KEY_ROTATION_BODY = _request_body("KeyRotation", required=False)
QUESTION_BODY = _request_body("Question")
FORK_BODY = _request_body("Fork")
EDIT_BODY = _request_body("EditRequest")
ROLLBACK_BODY = _request_body("Rollback")
EVALUATION_BODY = _request_body("EvaluationRequest")
PROPOSAL_BODY = _request_body("ProposalRequest")
EXAMPLE_ROWS: dict[str, Any] = {
    "table": {"value": {"rows": [{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": None}]}},
    "text": {"value": {"rows": [{"text": "a fine film"}], "outputs": ["labels", "probabilities"]}},
    "tensors": {"value": {"rows": [{"x": [5.1, 3.5, 1.4, 0.2]}, {"x": [6.2, 2.9, 4.3, 1.3]}], "top": 2}},
    "samples": {"value": {"count": 16, "select": ["sample"], "outputs": ["image"], "seed": 1}},
}
PREDICTION_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            name: {"schema": {"$ref": SCHEMA_REF.format(model="Prediction")}, "examples": EXAMPLE_ROWS}
            if form == "document"
            else {"schema": BINARY_SCHEMA}
            for name, form in ROW_FORMATS.items()
            if name
        },
    }
}
CONTENT_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY_SCHEMA}}}
}
METADATA_PARAMETER: dict[str, Any] = {
    "parameters": [
        {
            "name": "metadata[key]",
            "in": "query",
            "required": False,
            "schema": {"type": "string", "pattern": r"^[^\x00]*$"},
            "description": "Only jobs whose metadata has this value under the key.",
        }
    ]
}
