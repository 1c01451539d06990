"""API keys: create, list, change, rotate, revoke; and what a key may use."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.access import audit, keys, quotas
from app.access.audit import Action
from app.api import schemas
from app.api.auth import AdminPrincipal, Principal, ReadPrincipal
from app.api.http.bodies import RequestBodyDep
from app.api.http.idempotency import Once
from app.api.http.parameters import KeyId, PageLimit, next_page_headers
from app.api.http.responses import JsonResponse, once_response
from app.api.openapi.routes import KEY_BODY, KEY_CHANGE_BODY, KEY_ROTATION_BODY, route_responses
from app.api.services import ServicesDep
from app.db.tables import KeyRow
from app.ids import KEY_ID_PATTERN
from app.jobs.states import Status
from app.spec.edits.fork import merge_patch
from app.spec.timestamps import parse_rfc3339

router = APIRouter(prefix="/v1", tags=["keys"])


@router.post(
    "/keys", status_code=201, openapi_extra=KEY_BODY, responses=route_responses(201, schemas.NewKey, 409, 413, 415, 422)
)
def create_key(who: AdminPrincipal, once: Once, body: RequestBodyDep) -> Response:
    """Create a key of the same owner. No later response contains its token."""
    key_request = body.validate_as(schemas.KeyRequest)

    def effect(session: Session) -> tuple[int, dict[str, Any]]:
        limits = key_request.limits.as_dict()
        row, token = keys.create(session, who.owner, key_request.name, key_request.scopes, key_request.expiry(), limits)
        audit.append(session, who.actor, Action.KEY_CREATE, row.id, {"scopes": row.scopes})
        return 201, schemas.NewKey.from_row(row, token=token).as_dict()

    return once_response(once.run(who.owner, effect, secret=True), "/v1/keys")


@router.get("/keys", responses=route_responses(200, schemas.KeyPage, 400))
def list_keys(
    request: Request,
    who: AdminPrincipal,
    services: ServicesDep,
    limit: PageLimit = 100,
    after: Annotated[str | None, Query(description="The last id of the page before.", pattern=KEY_ID_PATTERN)] = None,
) -> Response:
    """List the owner's keys, newest first, revoked ones too, without their tokens."""
    rows, more = services.db.read(keys.page, who.owner, limit, after)
    page = schemas.KeyPage(items=[schemas.Key.from_row(row) for row in rows], has_more=more)
    return JsonResponse(page.as_dict(), headers=next_page_headers(request, more, rows[-1].id if rows else ""))


@router.patch(
    "/keys/{key_id}",
    openapi_extra=KEY_CHANGE_BODY,
    responses=route_responses(200, schemas.Key, 404, 409, 413, 415, 422),
)
def change_key(key_id: KeyId, who: AdminPrincipal, services: ServicesDep, body: RequestBodyDep) -> Response:
    """Change a key's name, expiry or limits. Other fields stay as they are."""
    services.db.read(keys.find_for_update, who.owner, key_id)  # another's key is 404, whatever is sent
    key_request = body.validate_as(schemas.KeyChange)

    def unit(session: Session) -> schemas.Key:
        found = keys.find_for_update(session, who.owner, key_id)
        changes: dict[str, Any] = key_request.model_dump(exclude_unset=True)
        if "limits" in changes:
            changed = key_request.limits.model_dump(exclude_unset=True)
            changes["limits"] = merge_patch(found.limits or {}, changed)
        if key_request.expires_at is not None:
            changes["expires_at"] = parse_rfc3339(key_request.expires_at)
        row = keys.update_key(session, who.owner, key_id, changes)
        audit.append(session, who.actor, Action.KEY_CHANGE, key_id, key_request.model_dump(exclude_unset=True))
        return schemas.Key.from_row(row)

    document = services.db.run(unit).as_dict()
    services.key_cache.forget(key_id)
    return JsonResponse(document)


@router.post(
    "/keys/{key_id}/rotate",
    openapi_extra=KEY_ROTATION_BODY,
    responses=route_responses(200, schemas.NewKey, 404, 409, 413, 415, 422),
)
def rotate_key(key_id: KeyId, who: AdminPrincipal, services: ServicesDep, once: Once, body: RequestBodyDep) -> Response:
    """Give a key a new token, which no later response contains. The old one is valid for `grace_seconds` more."""
    key_request = body.validate_as(schemas.KeyRotation) if body.content else schemas.KeyRotation()

    def effect(session: Session) -> tuple[int, dict[str, Any]]:
        row, token = keys.rotate(session, who.owner, key_id, key_request.grace_seconds)
        audit.append(session, who.actor, Action.KEY_ROTATE, key_id, {"grace_seconds": key_request.grace_seconds})
        return 200, schemas.NewKey.from_row(row, token=token).as_dict()

    answer = once.run(who.owner, effect, secret=True)
    services.key_cache.forget(key_id)
    return once_response(answer)


@router.delete("/keys/{key_id}", status_code=204, responses=route_responses(204, None, 404))
def revoke_key(key_id: KeyId, who: AdminPrincipal, services: ServicesDep) -> Response:
    """Revoke a key at once and for good."""
    services.db.run(audit.with_audit(who.actor, Action.KEY_REVOKE, key_id, keys.revoke), who.owner, key_id)
    services.key_cache.forget(key_id)
    return Response(status_code=204)


@router.get("/usage", responses=route_responses(200, schemas.Usage))
def read_usage(who: ReadPrincipal, services: ServicesDep) -> Response:
    """Read the request's key, its limits, and how much of them is used."""
    return JsonResponse(services.db.read(_usage, who).as_dict())


def _usage(session: Session, who: Principal) -> schemas.Usage:
    row = session.get(KeyRow, who.key_id)
    used: dict[str, tuple[str, int | None]] = {
        "requests": ("key", None),
        "priority": ("job", None),
        "running_jobs": ("key", quotas.count_jobs(session, who.key_id, Status.RUNNING)),
        "queued_jobs": ("key", quotas.count_jobs(session, who.key_id, Status.QUEUED)),
        "parameters": ("job", None),
        "stored_bytes": ("owner", quotas.stored_bytes(session, who.owner)),
        "unfinished_uploads": ("owner", quotas.count_unfinished_uploads(session, who.owner)),
    }
    limits = [
        schemas.UsedLimit.model_validate({"name": name, "limit": getattr(who.limits, name), "used": count, "of": of})
        for name, (of, count) in used.items()
    ]
    return schemas.Usage(owner=who.owner, key=schemas.Key.from_row(row) if row else None, limits=limits)
