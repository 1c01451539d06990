"""Parameters that several routes share."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Header, Path, Query, Request
from pydantic import Field

from app.api.http.route_table import RouteTable
from app.errors import InvalidInput, MalformedRequest, Problem, RequestError, UnknownParameter
from app.ids import (
    CHECKPOINT_ID_PATTERN,
    DATASET_ID_PATTERN,
    JOB_ID_PATTERN,
    KEY_ID_PATTERN,
    MESSAGE_ID_PATTERN,
    WEBHOOK_ID_PATTERN,
)
from app.spec.hints.names import did_you_mean
from app.spec.json_input import parse_document

PageLimit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of items.")]
JobId = Annotated[str, Path(pattern=JOB_ID_PATTERN, description="A job's id.")]
CheckpointId = Annotated[str, Path(pattern=CHECKPOINT_ID_PATTERN, description="A checkpoint's id.")]
DatasetId = Annotated[str, Path(pattern=DATASET_ID_PATTERN, description="A data set's id.")]
KeyId = Annotated[str, Path(pattern=KEY_ID_PATTERN, description="A key's id.")]
WebhookId = Annotated[str, Path(pattern=WEBHOOK_ID_PATTERN, description="A webhook's id.")]
MessageId = Annotated[str, Path(pattern=MESSAGE_ID_PATTERN, description="A message's id.")]
IfNoneMatch = Annotated[str | None, Header(description="ETags of versions that the client has: 304 for them.")]
IfMatch = Annotated[str | None, Header(description="ETags of versions of which the object must be one: else 412.")]
SearchText = Annotated[str, Field(pattern=r"^[^\x00]*$")]  # no database stores NUL
MAX_METADATA_FILTERS = 32
METADATA_PREFIX = "metadata["  # metadata[key]=value, a filter with a name of the user's own


class PreconditionFailed(RequestError):
    """The object has changed since the version in If-Match."""

    code = "precondition_failed"


class InvalidParameter(RequestError):
    """A query parameter has problems."""

    code = "invalid_parameter"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(f"{first.pointer[1:]}: {first.detail}", pointer=first.pointer, hint=first.hint)


async def check_parameters(request: Request) -> None:
    """Refuse what a route does not know, and would carry out regardless.

    Raises `UnknownParameter` for undeclared query parameters, since a misspelt filter would select everything, and
    `PreconditionFailed` for an If-Match where nothing has an ETag.
    """
    if not request.scope["query_string"] and "if-match" not in request.headers:
        return
    routes: RouteTable = request.app.state.route_table
    accepted = routes.parameters(request.method, request.scope["route"].path)
    _check_query(request, accepted.query)
    if request.headers.get("if-match", "*").strip() != "*" and not accepted.if_match:
        raise PreconditionFailed("what is asked for has no versions to compare with", hint="leave If-Match out")


def _check_query(request: Request, known: Sequence[str]) -> None:
    if any("\0" in text for pair in request.query_params.multi_items() for text in pair):
        raise MalformedRequest("a parameter holds NUL, which no database stores")
    for name in request.query_params:
        if name not in known and not (
            f"{METADATA_PREFIX}key]" in known and name.startswith(METADATA_PREFIX) and name.endswith("]")
        ):
            hint = did_you_mean(name, known) or ("one of: " + ", ".join(known) if known else "this route has none")
            raise UnknownParameter(f'there is no parameter "{name}" here', hint=hint)


def metadata_filters(request: Request) -> Mapping[str, str]:
    """Return the filters `metadata[key]=value`. Raises `MalformedRequest` for a key that no filter can name."""
    pairs = request.query_params.multi_items()
    filters = {name[len(METADATA_PREFIX) : -1]: value for name, value in pairs if name.startswith(METADATA_PREFIX)}
    if len(filters) > MAX_METADATA_FILTERS:
        raise MalformedRequest(f"at most {MAX_METADATA_FILTERS} keys of metadata can be filtered by")
    if any(sign in key for key in filters for sign in '"\\'):
        raise MalformedRequest("keys of metadata with quotes or backslashes cannot be filtered by")
    return filters


def parse_json_parameter(name: str, text: str, max_depth: int) -> Any:
    """Return the value of a parameter that is JSON. Raises `InvalidParameter` with the place of what cannot be read."""
    place = f"/{name}"
    try:
        return parse_document(text.encode(), "application/json", max_depth)
    except InvalidInput as error:
        raise InvalidParameter([problem.with_prefix(place) for problem in error.problems]) from None
    except MalformedRequest as error:
        detail = error.detail.replace("the body", "the parameter", 1)
        raise InvalidParameter([Problem(place, error.code, detail, error.hint)]) from None


def next_page_headers(request: Request, more: bool, after: str | int) -> dict[str, str]:
    """Return the Link header of the next page, if there is one."""
    if not more:
        return {}
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != "after"]
    return {"Link": f'<{request.scope["path"]}?{urlencode([*kept, ("after", after)])}>; rel="next"'}


def etag_satisfies(etag: str, if_match: str | None) -> bool:
    """Return whether a request may be carried out on this version (RFC 9110: strong comparison)."""
    return if_match is None or if_match.strip() == "*" or etag in [item.strip() for item in if_match.split(",")]


def etag_matches(etag: str, if_none_match: str | None) -> bool:
    """Return whether the client has this version already (RFC 9110: weak comparison)."""
    if if_none_match is None:
        return False
    etags = [item.strip().removeprefix("W/") for item in if_none_match.split(",")]
    return etag in etags or "*" in etags
