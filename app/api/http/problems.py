"""Errors as problem documents (RFC 9457). The only module that maps errors of the domain to HTTP statuses."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app import errors
from app.api.children.inspector import InspectionError
from app.api.http.parameters import InvalidParameter, PreconditionFailed
from app.api.http.responses import JsonResponse
from app.api.http.route_table import RouteTable
from app.api.lanes import SAFE_METHODS
from app.db.sealing import SecretSealed
from app.disk.capacity import FULL_HINT, is_disk_full
from app.errors import GraftwerkError, Problem
from app.spec.problems import json_pointer

PROBLEM_MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2

# Error → status; an error that is not listed has its base class's.
ERROR_STATUSES: Mapping[type[GraftwerkError], int] = {
    errors.GraftwerkError: 500,
    errors.NotFound: 404,
    errors.RequestError: 400,
    errors.BodyTimeout: 408,
    errors.InvalidInput: 422,
    errors.Conflict: 409,
    errors.IdempotencyKeyReused: 422,
    SecretSealed: 409,
    PreconditionFailed: 412,
    errors.ContentTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.RangeNotSatisfiable: 416,
    errors.QuotaExceeded: 403,
    errors.TooManyQueuedJobs: 429,
    errors.TooManyPendingEdits: 429,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.MissingDependency: 501,
    errors.Unavailable: 503,
    errors.TooManyRequests: 429,
    errors.StorageFull: 507,
}

_log = structlog.get_logger(__name__)


def status_of(error: type[GraftwerkError]) -> int:
    """Return the HTTP status of an error."""
    return next(ERROR_STATUSES[kind] for kind in error.__mro__ if kind in ERROR_STATUSES)


def problem_document(
    request: Request, status: int, code: str, detail: str, problems: Sequence[Problem] = (), **more: Any
) -> dict[str, Any]:
    """Return a problem document."""
    return {
        "type": f"urn:graftwerk:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request.scope.get("request_id", ""),
        "errors": [problem.as_dict() for problem in problems],
        **more,
    }


def problem_response(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document as a response."""
    return JsonResponse(dict(body), body["status"], headers=dict(headers or {}), media_type=PROBLEM_MEDIA_TYPE)


def add_exception_handlers(app: FastAPI) -> None:
    """Register handlers that turn every expected error, those of the framework too, into a problem document."""
    app.exception_handler(GraftwerkError)(_handle_domain_error)
    app.exception_handler(RequestValidationError)(_handle_validation_error)
    app.exception_handler(HTTPException)(_handle_http_exception)
    app.exception_handler(OSError)(_handle_os_error)


def _handle_domain_error(request: Request, error: GraftwerkError) -> Response:
    status = status_of(type(error))
    problems: Sequence[Problem] = ()
    if isinstance(error, errors.InvalidInput | errors.NotExportable | InvalidParameter):
        problems = error.problems
    elif error.pointer or error.hint:
        problems = [Problem(error.pointer, error.code, error.detail, error.hint)]
    more = {"partial_graph": error.partial} if isinstance(error, InspectionError) and error.partial else {}
    if status >= 500:
        _log.warning("request_failed", code=error.code, detail=error.detail)
    return problem_response(
        problem_document(request, status, error.code, error.detail, problems, **more), _error_headers(error, status)
    )


def _error_headers(error: GraftwerkError, status: int) -> dict[str, str]:
    if isinstance(error, errors.TooManyRequests):
        return {"Retry-After": str(max(1, math.ceil(error.seconds)))}
    if isinstance(error, errors.BodyTimeout):
        return {"Connection": "close"}  # the rest of the body could come at any time, and would be read as a request
    if isinstance(error, errors.WrongOffset):
        return {"Upload-Offset": str(error.received)}
    if isinstance(error, errors.RangeNotSatisfiable):
        return {"Content-Range": f"bytes */{error.size}"}
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="graftwerk"'}
    return {"Retry-After": str(RETRY_SECONDS)} if error.retryable and status in (409, 429, 503) else {}


def _handle_os_error(request: Request, error: OSError) -> Response:
    """Return the problem of a disk that is full, wherever that was found out. Raises any other error, a fault."""
    if not is_disk_full(error):
        raise error
    return _handle_domain_error(request, errors.StorageFull(f"no room on the disk: {error.strerror}", hint=FULL_HINT))


def _handle_validation_error(request: Request, error: RequestValidationError) -> Response:
    """Return the problem of invalid parameters in the path, the query or the headers."""
    details = error.errors()
    if any(item["loc"][0] == "path" for item in details):  # what cannot be an id is nobody's
        return problem_response(problem_document(request, 404, "not_found", f"there is no {request.scope['path']}"))
    problems = [
        Problem(json_pointer(item["loc"][1:]), "invalid_parameter", f"{item['loc'][1]}: {item['msg']}")
        for item in details
    ]
    return problem_response(problem_document(request, 400, "invalid_parameter", problems[0].detail, problems))


def _handle_http_exception(request: Request, error: HTTPException) -> Response:
    """Return the problem of an unknown route or method."""
    code = {404: "no_such_route", 405: "method_not_allowed"}.get(error.status_code, "refused")
    detail = {404: "there is no such route", 405: f"{request.method} is not allowed here"}.get(error.status_code)
    headers = {"Allow": ", ".join(_allowed_methods(request))} if error.status_code == 405 else error.headers
    return problem_response(problem_document(request, error.status_code, code, detail or str(error.detail)), headers)


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods of every route at this path; the framework itself returns those of the first."""
    routes: RouteTable = request.app.state.route_table
    return routes.allowed_methods(request.scope["path"]) or sorted(SAFE_METHODS)  # of a page


def internal_error(request: Request, error: Exception) -> Response:
    """A fault of the service: the log has the traceback under the id in the response."""
    _log.error("bug", exc_info=error)
    return problem_response(
        problem_document(request, 500, "internal", "an internal error occurred; the service's log has the details")
    )
