"""Who asks, and what they may do: a dependency of every route, deny by default."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app import keys
from app.api.services import Part
from app.errors import Forbidden, TooManyRequests, Unauthenticated
from app.first_key import OWNER

_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key: `gw_…`.")


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner behind a request, and the key it came with: none where authentication is off."""

    owner: str
    scopes: frozenset[str]
    key_id: str = ""


def require(scope: str) -> Callable[..., Principal]:
    """Return the dependency of routes that need a scope; `admin` includes every other."""

    def principal(
        request: Request, services: Part, token: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Principal:
        if not services.settings.auth:
            _count(request, services, "anybody")
            return Principal(OWNER, frozenset(keys.SCOPES))
        try:
            key = services.db.read(keys.authenticate, token.credentials if token is not None else "")
        except Unauthenticated:  # guessing is counted by where it comes from
            _count(request, services, f"host {request.client.host if request.client else ''}")
            raise
        _count(request, services, key.id)
        if scope not in key.scopes and "admin" not in key.scopes:
            raise Forbidden(f"this needs the scope {scope}; the key has {', '.join(key.scopes)}")
        return Principal(key.owner, frozenset(key.scopes), key.id)

    principal.scope = scope  # type: ignore[attr-defined] # a test walks over all routes by it
    return principal


def _count(request: Request, services: Part, who: str) -> None:
    share = services.limiter.take(who)
    request.scope["rate_limit"] = share.headers
    if share.wait is not None:
        raise TooManyRequests(share.wait)


Reader = Annotated[Principal, Depends(require("read"))]
Writer = Annotated[Principal, Depends(require("write"))]
Admin = Annotated[Principal, Depends(require("admin"))]
