"""What a spec may name."""

from functools import cache
from hashlib import sha256

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from app.api import schemas
from app.api.auth import Reader
from app.api.http.parameters import IfNoneMatch, matches
from app.api.http.responses import Json
from app.api.openapi import answers
from app.spec.catalog import catalog

router = APIRouter(prefix="/v1/catalog", tags=["catalog"])


@router.get("", responses=answers(200, schemas.Catalog, 304))
def read_catalog(who: Reader, if_none_match: IfNoneMatch = None) -> Response:
    """List every kind: modules, operations, backbones, control flow, losses and the rest, each with its JSON Schema.

    It changes with the version of the service alone.
    """
    content, etag = _written()
    headers = {"ETag": etag, "Cache-Control": "private, max-age=0, must-revalidate"}
    if matches(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=Json.media_type, headers=headers)


@cache
def _written() -> tuple[bytes, str]:
    """Return the document and its ETag, made when it is first asked for."""
    content = orjson.dumps(catalog())
    return content, f'"{sha256(content).hexdigest()}"'
