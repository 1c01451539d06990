"""The audit log."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.access import audit
from app.access.audit import Action
from app.api import schemas
from app.api.auth import AdminPrincipal
from app.api.http.parameters import PageLimit, SearchText, next_page_headers
from app.api.http.responses import JsonResponse
from app.api.openapi.routes import route_responses
from app.api.services import ServicesDep

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.get("", responses=route_responses(200, schemas.AuditPage, 400))
def list_audit(
    request: Request,
    who: AdminPrincipal,
    services: ServicesDep,
    limit: PageLimit = 100,
    after: Annotated[
        str | None, Query(description="The last id of the page before.", pattern=r"^aud_[0-9a-f]{32}$")
    ] = None,
    action: Annotated[list[Action], Query(description="Only entries with one of these.")] = [],  # noqa: B006
    key: Annotated[SearchText | None, Query(description="Only what came with this key.", max_length=40)] = None,
    target: Annotated[SearchText | None, Query(description="Only what was done to this object.", max_length=64)] = None,
) -> Response:
    """List what the owner's keys did, and who was refused, newest first."""
    rows, more = services.db.read(audit.page, who.owner, limit, after, action, key, target)
    page = schemas.AuditPage(items=[schemas.AuditEntry.from_row(row) for row in rows], has_more=more)
    return JsonResponse(page.as_dict(), headers=next_page_headers(request, more, rows[-1].id if rows else ""))
