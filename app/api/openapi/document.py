"""The document: what FastAPI derives from the routes, the schemas of requests, shared responses, and links."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from app.api.http.cookies import COOKIE_PREFIX, CSRF_HEADER
from app.api.http.problems import PROBLEM_MEDIA_TYPE
from app.api.openapi.links import add_links
from app.api.openapi.routes import SHARED_RESPONSES
from app.api.openapi.schemas import SCHEMA_REF, merge_schemas, request_schemas
from app.api.schemas import KeyChange, KeyRequest, KeyRotation, ProblemDocument, SignIn, WebhookRequest
from app.proposals.request import ProposalRequest
from app.spec.data.sources import NewDataset
from app.spec.edits.edit import Edit
from app.spec.edits.fork import Fork
from app.spec.edits.rollback import Rollback
from app.spec.inspection import InspectionRequest
from app.spec.job import JobSpec
from app.spec.prediction import EvaluationRequest, Prediction

# Documents that routes read by themselves, and problems.
NAMED_MODELS: Mapping[str, type[BaseModel]] = {
    "JobSpec": JobSpec,
    "NewDataset": NewDataset,
    "KeyRequest": KeyRequest,
    "WebhookRequest": WebhookRequest,
    "SignIn": SignIn,
    "KeyChange": KeyChange,
    "KeyRotation": KeyRotation,
    "Question": InspectionRequest,
    "Fork": Fork,
    "EditRequest": Edit,
    "Rollback": Rollback,
    "ProposalRequest": ProposalRequest,
    "Prediction": Prediction,
    "EvaluationRequest": EvaluationRequest,
    "Problem": ProblemDocument,
}

SECURITY_SCHEMES: Mapping[str, Any] = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key: `gw_…`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE_PREFIX,
        "description": "A browser that is signed in (`POST /v1/session`); the name ends in `_PORT` where the address "
        "has a port. Methods that change something need the "
        f"header `{CSRF_HEADER}` with the session's `csrf_token`, others that or `Sec-Fetch-Site: same-origin`.",
    },
}


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Return the document, which is built once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        _add_security(document)
        merge_schemas(document["components"]["schemas"], request_schemas(NAMED_MODELS))
        _remove_framework_responses(document)
        _share_responses(document)
        add_links(document)
        app.openapi_schema = document
    return app.openapi_schema


def _add_security(document: dict[str, Any]) -> None:
    """Say which routes need a key: those that can answer that it is missing."""
    document["components"]["securitySchemes"] = dict(SECURITY_SCHEMES)
    for methods in document["paths"].values():
        for operation in methods.values():
            if "401" in operation["responses"] and operation["operationId"] != "sign_in":
                operation["security"] = [{"key": []}, {"session": []}]


def _remove_framework_responses(document: dict[str, Any]) -> None:
    """Remove the framework's own errors, which this API never sends, and JSON without a schema."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    for responses in _responses(document):
        for status, response in list(responses.items()):
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            if schema == {}:
                del response["content"]["application/json"]
            if schema == {"$ref": SCHEMA_REF.format(model="HTTPValidationError")}:
                del responses[status]


def _share_responses(document: dict[str, Any]) -> None:
    """Replace the responses that are the same for every route by references to `components/responses`."""
    problem = {"content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": SCHEMA_REF.format(model="Problem")}}}}
    document["components"]["responses"] = {
        name: {"description": description} | (problem if status >= 400 else {})
        for status, (name, description) in SHARED_RESPONSES.items()
    }
    for responses in _responses(document):
        for status in responses:
            if int(status) in SHARED_RESPONSES:
                responses[status] = {"$ref": f"#/components/responses/{SHARED_RESPONSES[int(status)][0]}"}


def _responses(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        for operation in methods.values():
            yield operation["responses"]
