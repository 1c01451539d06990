"""The catalogue of kinds."""

from functools import cache
from hashlib import sha256

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from app.api import schemas
from app.api.auth import ReadPrincipal
from app.api.http.parameters import IfNoneMatch, etag_matches
from app.api.http.responses import JsonResponse
from app.api.openapi.routes import route_responses
from app.spec.catalog import build_catalog

router = APIRouter(prefix="/v1/catalog", tags=["catalog"])


@router.get("", responses=route_responses(200, schemas.Catalog, 304))
async def read_catalog(who: ReadPrincipal, if_none_match: IfNoneMatch = None) -> Response:
    """List every kind: modules, operations, backbones, control flow, losses and the rest, each with its JSON Schema.

    It changes with the version of the service alone.
    """
    content, etag = catalog_document()
    headers = {"ETag": etag, "Cache-Control": "private, max-age=0, must-revalidate"}
    if etag_matches(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=JsonResponse.media_type, headers=headers)


@cache
def catalog_document() -> tuple[bytes, str]:
    """Return the document and its ETag; built once, before the application serves."""
    content = orjson.dumps(build_catalog())
    return content, f'"{sha256(content).hexdigest()}"'
