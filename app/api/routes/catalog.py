"""What the service understands: the catalogue of kinds, and the description of the API."""

from functools import cache, lru_cache
from hashlib import sha256

import orjson
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from app.api import schemas
from app.api.auth import ReadPrincipal
from app.api.http.parameters import IfNoneMatch, etag_matches
from app.api.http.responses import JsonResponse
from app.api.openapi.routes import DOCUMENT_RESPONSES, route_responses
from app.spec.catalog import build_catalog

router = APIRouter(prefix="/v1", tags=["catalog"])


@router.get("/catalog", responses=route_responses(200, schemas.Catalog, 304))
async def read_catalog(who: ReadPrincipal, if_none_match: IfNoneMatch = None) -> Response:
    """List every kind: modules, operations, backbones, control flow, losses and the rest, each with its JSON Schema.

    It changes with the version of the service alone.
    """
    return _versioned_response(*catalog_document(), if_none_match)


@router.get("/openapi.json", responses=DOCUMENT_RESPONSES)
def read_openapi(request: Request, who: ReadPrincipal, if_none_match: IfNoneMatch = None) -> Response:
    """Read the OpenAPI description of this API, which changes with the version of the service alone."""
    return _versioned_response(*_openapi_document(request.app), if_none_match)


@cache
def catalog_document() -> tuple[bytes, str]:
    """Return the document and its ETag; built once, before the application serves."""
    content = orjson.dumps(build_catalog())
    return content, f'"{sha256(content).hexdigest()}"'


@lru_cache(maxsize=1)
def _openapi_document(app: FastAPI) -> tuple[bytes, str]:
    """Return the document and its ETag; built by the first request, which takes half a second."""
    content = orjson.dumps(app.openapi())
    return content, f'"{sha256(content).hexdigest()}"'


def _versioned_response(content: bytes, etag: str, if_none_match: str | None) -> Response:
    headers = {"ETag": etag, "Cache-Control": "private, max-age=0, must-revalidate"}
    if etag_matches(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=JsonResponse.media_type, headers=headers)
