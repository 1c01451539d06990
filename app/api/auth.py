"""Who asks, and what they may do: a dependency of every route, deny by default, before the body is looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.access import keys, quotas
from app.access.audit import Actor
from app.access.first_key import OWNER
from app.access.quotas import Limits, limits_of
from app.api.rate_limits import told
from app.api.services import Part, Services
from app.errors import Forbidden, TooManyRequests, Unauthenticated
from app.jobs.states import Status

_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key: `gw_…`.")


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner behind a request, the key it came with ("" where authentication is off), and what that may use."""

    owner: str
    scopes: frozenset[str]
    key_id: str
    limits: Limits
    actor: Actor


def require(scope: str) -> Callable[..., Principal]:
    """Return the dependency of routes that need a scope; `admin` includes every other."""

    def principal(
        request: Request, services: Part, token: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Principal:
        address = request.client.host if request.client else None
        if not services.settings.auth:
            limits = limits_of(services.settings, None, admin=True)
            _count(request, services, "anybody", limits)
            actor = Actor(OWNER, None, request.scope["request_id"], address)
            return Principal(OWNER, frozenset(keys.SCOPES), "", limits, actor)
        credentials = token.credentials if token is not None else ""
        try:
            key = services.db.read(keys.authenticate, credentials)
        except Unauthenticated as error:  # guessing is counted by where it comes from
            _refused(request, services, error.code, keys.named(credentials))
            _count(request, services, f"host {address or ''}", limits_of(services.settings, None, admin=False))
            raise
        admin = "admin" in key.scopes
        limits = limits_of(services.settings, key.limits, admin)
        _count(request, services, key.id, limits)
        if scope not in key.scopes and not admin:
            _refused(request, services, Forbidden.code, key.id)
            raise Forbidden(f"this needs the scope {scope}; the key has {', '.join(key.scopes)}")
        services.journal.used(key.id)
        actor = Actor(key.owner, key.id, request.scope["request_id"], address)
        return Principal(key.owner, frozenset(key.scopes), key.id, limits, actor)

    principal.scope = scope  # type: ignore[attr-defined] # a test walks over all routes by it
    return principal


def _refused(request: Request, services: Services, code: str, key_id: str | None) -> None:
    address = request.client.host if request.client else None
    services.journal.refused(code, key_id, address, request.scope["request_id"])


def _count(request: Request, services: Services, who: str, limits: Limits) -> None:
    share = services.limiter.take(who, limits.requests)
    request.scope["rate_limit"] = share.headers
    if share.wait is not None:
        raise TooManyRequests(share.wait)


Reader = Annotated[Principal, Depends(require("read"))]
Writer = Annotated[Principal, Depends(require("write"))]
Admin = Annotated[Principal, Depends(require("admin"))]


def tell_waiting(request: Request, who: Principal, services: Services) -> None:
    """Tell how many more jobs of the key may wait, beside how many requests it may send."""
    most = who.limits.queued_jobs
    if most is not None:
        left = max(0, most - services.db.read(quotas.jobs, who.key_id, Status.QUEUED))
        headers = request.scope["rate_limit"]
        own = told([f'"queued";q={most};qu="jobs"'], [f'"queued";r={left}'])
        request.scope["rate_limit"] = {
            name: ", ".join(filter(None, (headers.get(name), value))) for name, value in own.items()
        }
