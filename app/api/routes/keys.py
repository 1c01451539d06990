"""API keys: create, list, revoke."""

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import Response

from app import keys
from app.api import schemas
from app.api.answers import Json
from app.api.auth import Admin
from app.api.bodies import Sent
from app.api.openapi import KEY_BODY, answers
from app.api.parameters import KeyId
from app.api.services import Part

router = APIRouter(prefix="/v1/keys", tags=["keys"])


@router.post("", status_code=201, openapi_extra=KEY_BODY, responses=answers(201, schemas.NewKey, 413, 415, 422))
def create_key(who: Admin, services: Part, body: Sent) -> Response:
    """Create a key of the same owner. Its token is told this once."""
    wanted = body.validated(schemas.KeyRequest)

    def unit(session: Session) -> schemas.NewKey:
        row, token = keys.create(session, who.owner, wanted.name, wanted.scopes)
        return schemas.NewKey.of(row, token=token)

    return Json(services.db.run(unit).plain(), 201, headers={"Cache-Control": "no-store"})


@router.get("", responses=answers(200, schemas.KeyPage))
def list_keys(who: Admin, services: Part) -> Response:
    """List the owner's keys, revoked ones too, without their tokens."""
    rows = services.db.read(keys.list_keys, who.owner)
    return Json(schemas.KeyPage(items=[schemas.Key.of(row) for row in rows]).plain())


@router.delete("/{key_id}", status_code=204, responses=answers(204, None, 404))
def revoke_key(key_id: KeyId, who: Admin, services: Part) -> Response:
    """Make a key invalid at once and for good."""
    services.db.run(keys.revoke, who.owner, key_id)
    return Response(status_code=204)
