"""API keys: create, list, change, rotate, revoke; and what a key may use."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.access import audit, keys, quotas
from app.access.audit import Action
from app.api import schemas
from app.api.auth import Admin, Principal, Reader
from app.api.http.bodies import Sent, checked
from app.api.http.parameters import KeyId
from app.api.http.responses import Json
from app.api.openapi import KEY_BODY, KEY_CHANGE_BODY, KEY_ROTATION_BODY, answers
from app.api.services import Part
from app.db.tables import KeyRow
from app.jobs.states import Status
from app.spec.fork import merged
from app.spec.timestamps import seconds_of

router = APIRouter(prefix="/v1", tags=["keys"])
SECRET = {"Cache-Control": "no-store"}


@router.post("/keys", status_code=201, openapi_extra=KEY_BODY, responses=answers(201, schemas.NewKey, 413, 415, 422))
def create_key(who: Admin, services: Part, body: Sent) -> Response:
    """Create a key of the same owner. Its token is told this once."""
    wanted = body.validated(schemas.KeyRequest)

    def unit(session: Session) -> schemas.NewKey:
        limits = wanted.limits.plain()
        row, token = keys.create(session, who.owner, wanted.name, wanted.scopes, wanted.expiry(), limits)
        audit.append(session, who.actor, Action.KEY_CREATE, row.id, {"scopes": row.scopes})
        return schemas.NewKey.of(row, token=token)

    return Json(services.db.run(unit).plain(), 201, headers=SECRET)


@router.get("/keys", responses=answers(200, schemas.KeyPage))
def list_keys(who: Admin, services: Part) -> Response:
    """List the owner's keys, revoked ones too, without their tokens."""
    rows = services.db.read(keys.list_keys, who.owner)
    return Json(schemas.KeyPage(items=[schemas.Key.of(row) for row in rows]).plain())


@router.patch(
    "/keys/{key_id}", openapi_extra=KEY_CHANGE_BODY, responses=answers(200, schemas.Key, 404, 409, 413, 415, 422)
)
def change_key(key_id: KeyId, who: Admin, services: Part, body: Sent) -> Response:
    """Change a key's name, expiry or limits. What is not named stays as it is."""
    services.db.read(keys.find_locked, who.owner, key_id)  # another's key is 404, whatever is sent
    wanted = body.validated(schemas.KeyChange)

    def unit(session: Session) -> schemas.Key:
        found = keys.find_locked(session, who.owner, key_id)
        changes: dict[str, Any] = wanted.model_dump(include=wanted.model_fields_set)
        if "limits" in changes:
            together = merged(found.limits or {}, wanted.limits)
            changes["limits"] = checked(schemas.KeyLimits, together, "/limits").plain()
        if wanted.expires_at is not None:
            changes["expires_at"] = seconds_of(wanted.expires_at)
        row = keys.change(session, who.owner, key_id, changes)
        audit.append(session, who.actor, Action.KEY_CHANGE, key_id, wanted.model_dump(include=wanted.model_fields_set))
        return schemas.Key.of(row)

    return Json(services.db.run(unit).plain())


@router.post(
    "/keys/{key_id}/rotate",
    openapi_extra=KEY_ROTATION_BODY,
    responses=answers(200, schemas.NewKey, 404, 409, 413, 415, 422),
)
def rotate_key(key_id: KeyId, who: Admin, services: Part, body: Sent) -> Response:
    """Give a key another token, which is told this once. The one before opens for `grace_seconds` more."""
    wanted = body.validated(schemas.KeyRotation) if body.content else schemas.KeyRotation()

    def unit(session: Session) -> schemas.NewKey:
        row, token = keys.rotate(session, who.owner, key_id, wanted.grace_seconds)
        audit.append(session, who.actor, Action.KEY_ROTATE, key_id, {"grace_seconds": wanted.grace_seconds})
        return schemas.NewKey.of(row, token=token)

    return Json(services.db.run(unit).plain(), headers=SECRET)


@router.delete("/keys/{key_id}", status_code=204, responses=answers(204, None, 404))
def revoke_key(key_id: KeyId, who: Admin, services: Part) -> Response:
    """Make a key invalid at once and for good."""
    services.db.run(audit.noted(who.actor, Action.KEY_REVOKE, key_id, keys.revoke), who.owner, key_id)
    return Response(status_code=204)


@router.get("/usage", responses=answers(200, schemas.Usage))
def read_usage(who: Reader, services: Part) -> Response:
    """Read which key asks, what it may use, and how much of that is used."""
    return Json(services.db.read(_usage, who).plain())


def _usage(session: Session, who: Principal) -> schemas.Usage:
    row = session.get(KeyRow, who.key_id)
    used: dict[str, tuple[str, int | None]] = {
        "requests": ("key", None),
        "priority": ("job", None),
        "running_jobs": ("key", quotas.jobs(session, who.key_id, Status.RUNNING)),
        "queued_jobs": ("key", quotas.jobs(session, who.key_id, Status.QUEUED)),
        "parameters": ("job", None),
        "stored_bytes": ("owner", quotas.stored_bytes(session, who.owner)),
        "unfinished_uploads": ("owner", quotas.unfinished_uploads(session, who.owner)),
    }
    limits = [
        schemas.UsedLimit.model_validate({"name": name, "limit": getattr(who.limits, name), "used": count, "of": of})
        for name, (of, count) in used.items()
    ]
    return schemas.Usage(owner=who.owner, key=schemas.Key.of(row) if row else None, limits=limits)
