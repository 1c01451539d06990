"""Sessions of browsers: sign in with a key or a link, read who is signed in, sign out, and make a link."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.access import audit, keys, sessions
from app.access.audit import Action
from app.access.first_key import OWNER
from app.access.keys import SCOPES, ValidKey
from app.access.tokens import parse_credential
from app.api import schemas
from app.api.auth import (
    Principal,
    ReadPrincipal,
    anonymous_actor,
    count_sign_in,
    enter_lane,
    reader_or_nobody,
    record_failed_sign_in,
    request_credential,
)
from app.api.http.bodies import RequestBodyDep
from app.api.http.cookies import check_sign_in, session_token, set_session_cookie
from app.api.http.idempotency import Once
from app.api.http.responses import JsonResponse, once_response
from app.api.openapi.routes import SIGN_IN_BODY, route_responses
from app.api.services import Services, ServicesDep
from app.errors import Forbidden, NotFound, Unauthenticated
from app.spec.timestamps import format_rfc3339

router = APIRouter(prefix="/v1/session", tags=["session"])
SIGN_IN = [Depends(check_sign_in), Depends(count_sign_in), Depends(enter_lane)]
EVERYBODY = schemas.SignedIn(
    owner=OWNER, key_id=None, key_name=None, scopes=list(SCOPES), created_at=None, expires_at=None, csrf_token=""
)  # without authentication


@router.post(
    "",
    status_code=201,
    dependencies=SIGN_IN,
    openapi_extra=SIGN_IN_BODY,
    responses=route_responses(201, schemas.SignedIn, 413, 415, 422),
)
def sign_in(request: Request, services: ServicesDep, body: RequestBodyDep) -> Response:
    """Sign a browser in, with a key or with a link: the answer sets the cookie of a session. The one before ends."""
    credentials = body.validate_as(schemas.SignIn)
    if not services.settings.auth:
        return JsonResponse(EVERYBODY.as_dict(), 201)
    try:
        session_id, token = services.db.run(_open, request, credentials)
    except (Unauthenticated, Forbidden) as error:
        record_failed_sign_in(request, services, error.code, credentials.key or credentials.link or "")
        raise
    _end_previous(request, services)
    response = JsonResponse(_describe(services, session_id, token), 201)
    set_session_cookie(response, request, token)
    return response


def _open(session: Session, request: Request, credentials: schemas.SignIn) -> tuple[str, str]:
    """Open a session; return its id and its token. Raises `Unauthenticated`, `Forbidden`."""
    if credentials.key is not None:
        key: ValidKey = keys.authenticate(session, credentials.key)
    else:
        key = sessions.open_link(session, credentials.link or "")
    if not {"read", "admin"} & set(key.row.scopes):
        raise Forbidden("the page needs a key with the scope read")
    row, token = sessions.create(session, key)
    actor = anonymous_actor(request, key.row.owner, key.row.id)
    audit.append(
        session, actor, Action.SESSION_CREATE, row.id, {"by": "key" if credentials.key is not None else "link"}
    )
    return row.id, token


def _end_previous(request: Request, services: Services) -> None:
    previous = parse_credential(session_token(request))
    if previous is not None and not services.db.read(sessions.invalid_credentials, [previous]):
        services.db.run(sessions.end, previous.id)
        services.key_cache.forget(previous.id)


def _describe(services: Services, session_id: str, token: str) -> dict[str, Any]:
    row, key, ends_at = services.db.read(sessions.find, session_id)
    return schemas.SignedIn.from_rows(row, key, ends_at, sessions.csrf_token(token)).as_dict()


@router.get("", responses=route_responses(200, schemas.SignedIn, 404) | {204: {"description": "Nobody is signed in."}})
def read_session(
    request: Request, who: Annotated[Principal | None, Depends(reader_or_nobody)], services: ServicesDep
) -> Response:
    """Read who is signed in. With neither a session nor a key: 204; with a key instead of a session: 404."""
    if who is None:
        return Response(status_code=204)
    if not who.key_id:
        return JsonResponse(EVERYBODY.as_dict())
    if not who.session_id:
        raise NotFound("this request is authenticated by a key, and has no session")
    return JsonResponse(_describe(services, who.session_id, session_token(request)))


@router.delete("", status_code=204, responses=route_responses(204, None, 404))
def sign_out(request: Request, who: ReadPrincipal, services: ServicesDep) -> Response:
    """Sign the browser out, in all of its tabs: streams and long polls of the session end within two seconds."""
    if who.key_id and not who.session_id:
        raise NotFound("this request is authenticated by a key, and has no session")
    if who.session_id:
        end = audit.with_audit(who.actor, Action.SESSION_DELETE, who.session_id, sessions.end)
        services.db.run(end, who.session_id)
        services.key_cache.forget(who.session_id)
    response = Response(status_code=204)
    set_session_cookie(response, request, "")
    return response


@router.post("/links", status_code=201, responses=route_responses(201, schemas.SessionLink, 409, 413, 422))
def create_session_link(request: Request, who: ReadPrincipal, once: Once) -> Response:
    """Make a link that signs a browser in with the request's key: once, and within ten minutes."""
    page = f"{request.scope['scheme']}://{request.headers.get('host', '')}/"
    credential = request_credential(request, who)
    if credential is None:
        return JsonResponse(schemas.SessionLink(url=page, expires_at=None).as_dict(), 201)

    def effect(session: Session) -> tuple[int, dict[str, Any]]:
        link, token = sessions.create_link(session, credential)
        audit.append(session, who.actor, Action.SESSION_LINK, link.id)
        made = schemas.SessionLink(url=f"{page}sign-in#link={token}", expires_at=format_rfc3339(link.expires_at))
        return 201, made.as_dict()

    return once_response(once.run(who.owner, effect, secret=True))
