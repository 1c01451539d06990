"""The description of the API: what routes declare, and the whole document."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from app.api.openapi_links import add_links
from app.api.schemas import KeyChange, KeyRequest, KeyRotation, ProblemDocument, WebhookRequest
from app.spec.data.sources import NewDataset
from app.spec.fork import Fork
from app.spec.inspection import InspectionRequest
from app.spec.job import JobSpec
from app.spec.prediction import ROW_FORMATS, Prediction

SCHEMA_REF = "#/components/schemas/{model}"
PUBLIC_STATUSES = (400, 500, 503)  # what every route may answer, those without a key too
COMMON_STATUSES = (*PUBLIC_STATUSES, 401, 403, 429)

STATUS_DESCRIPTIONS: Mapping[int, str] = {
    304: "Nothing has changed since the version in If-None-Match.",
    400: "A parameter is unknown or wrong, or the body cannot be read.",
    401: "No key, or one that is not valid.",
    403: "The key lacks the scope, or a quota is used up.",
    404: "There is no such object, or it belongs to somebody else.",
    409: "The object's state forbids it, or the Idempotency-Key is being answered.",
    413: "The body is too large.",
    415: "The body has a type that is not read here.",
    416: "The file does not have these bytes.",
    422: "The document has problems: all of them, each with its place.",
    429: "Too many requests with this key, or too many of its jobs are waiting.",
    500: "A mistake of the service.",
    501: "A package is missing that the operator could install.",
    507: "There is no room on the service's disk.",
    503: "A part of the service is away, or it is at its capacity.",
}


def route_responses(
    status: int,
    model: type[BaseModel] | None,
    *others: int,
    media: Sequence[str] = (),
    headers: Mapping[str, Any] | None = None,
    always: Sequence[int] = COMMON_STATUSES,
) -> dict[int | str, dict[str, Any]]:
    """Return what a route answers: its document, or bytes of other media types, and its problems."""
    found: dict[int | str, dict[str, Any]] = {status: {"description": "As asked."}}
    if model is not None:
        found[status]["model"] = model
    if headers is not None:
        found[status]["headers"] = dict(headers)
    if media:
        found[status]["content"] = {name: {} if name == EVENT_STREAM else {"schema": BINARY_SCHEMA} for name in media}
    for other in sorted({*others, *always}):
        found[other] = {"description": STATUS_DESCRIPTIONS[other]}
        if other >= 400:
            found[other]["content"] = {
                "application/problem+json": {"schema": {"$ref": SCHEMA_REF.format(model="Problem")}}
            }
    return found


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
KEY_ROTATION_BODY = _request_body("KeyRotation", required=False)
QUESTION_BODY = _request_body("Question")
FORK_BODY = _request_body("Fork")
EXAMPLE_ROWS: dict[str, Any] = {
    "table": {"value": {"rows": [{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": None}]}},
    "text": {"value": {"rows": [{"text": "a fine film"}], "outputs": ["labels", "probabilities"]}},
    "tensors": {"value": {"rows": [{"x": [5.1, 3.5, 1.4, 0.2]}, {"x": [6.2, 2.9, 4.3, 1.3]}], "top": 2}},
}
PREDICTION_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            name: {"schema": {"$ref": SCHEMA_REF.format(model="Prediction")}, "examples": EXAMPLE_ROWS}
            if form == "document"
            else {"schema": {"type": "string", "format": "binary"}}
            for name, form in ROW_FORMATS.items()
            if name
        },
    }
}
CONTENT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
METADATA_PARAMETER: dict[str, Any] = {
    "parameters": [
        {
            "name": "metadata[key]",
            "in": "query",
            "required": False,
            "schema": {"type": "string"},
            "description": "Only jobs whose metadata has this value under the key.",
        }
    ]
}


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Return the whole description, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        merge_schemas(document["components"]["schemas"], _request_schemas())
        _remove_framework_responses(document)
        add_links(document)
        app.openapi_schema = document
    return app.openapi_schema


def merge_schemas(known: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add schemas to those that are known; raises `ValueError` where two that differ have one name."""
    for name, schema in more.items():
        if known.setdefault(name, schema) != schema:
            raise ValueError(f'two schemas are named "{name}": give one of them another name')


def _remove_framework_responses(document: dict[str, Any]) -> None:
    """Take out what the framework adds and this API never answers: its own errors, and JSON of no form."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    for operation in (operation for methods in document["paths"].values() for operation in methods.values()):
        responses = operation["responses"]
        for status, response in list(responses.items()):
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            if schema == {}:
                del response["content"]["application/json"]
            if schema == {"$ref": SCHEMA_REF.format(model="HTTPValidationError")}:
                del responses[status]


def _request_schemas() -> dict[str, Any]:
    """Return the schemas of what is sent, which routes read by themselves, and of problems."""
    found: dict[str, Any] = {}
    named: dict[str, type[BaseModel]] = {
        "JobSpec": JobSpec,
        "NewDataset": NewDataset,
        "KeyRequest": KeyRequest,
        "WebhookRequest": WebhookRequest,
        "KeyChange": KeyChange,
        "KeyRotation": KeyRotation,
        "Question": InspectionRequest,
        "Fork": Fork,
        "Prediction": Prediction,
        "Problem": ProblemDocument,
    }
    for name, model in named.items():
        schema = model.model_json_schema(ref_template=SCHEMA_REF)
        merge_schemas(found, schema.pop("$defs", {}))
        merge_schemas(found, {name: schema})
    return dict(sorted(found.items()))
