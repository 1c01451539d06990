"""Authentication and scopes: a dependency of every route, which denies by default, before the body is read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.access import keys, quotas
from app.access.audit import Actor
from app.access.first_key import OWNER
from app.access.keys import Credential
from app.access.quotas import EffectiveLimits, effective_limits
from app.api.rate_limits import rate_limit_headers
from app.api.services import Services, ServicesDep
from app.errors import Forbidden, TooManyRequests, Unauthenticated
from app.jobs.states import Status

_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key: `gw_…`.")


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner of a request, its key ("" without authentication), and the limits of the key."""

    owner: str
    scopes: frozenset[str]
    key_id: str
    limits: EffectiveLimits
    actor: Actor


def require_scope(scope: str) -> Callable[..., Principal]:
    """Return the dependency of routes that need a scope; `admin` includes every other."""

    def principal(
        request: Request,
        services: ServicesDep,
        token: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> Principal:
        address = request.client.host if request.client else None
        if not services.settings.auth:
            limits = effective_limits(services.settings, None, admin=True)
            _enforce_rate_limit(request, services, "anybody", limits)
            actor = Actor(OWNER, None, request.scope["request_id"], address)
            return Principal(OWNER, frozenset(keys.SCOPES), "", limits, actor)
        credentials = token.credentials if token is not None else ""
        try:
            key = services.db.read(keys.authenticate, credentials)
        except Unauthenticated as error:  # guessing is counted by where it comes from
            _record_refusal(request, services, error.code, keys.parse_key_id(credentials))
            _enforce_rate_limit(
                request, services, f"host {address or ''}", effective_limits(services.settings, None, admin=False)
            )
            raise
        admin = "admin" in key.scopes
        limits = effective_limits(services.settings, key.limits, admin)
        _enforce_rate_limit(request, services, key.id, limits)
        if scope not in key.scopes and not admin:
            _record_refusal(request, services, Forbidden.code, key.id)
            raise Forbidden(f"this route needs the scope {scope}; the key has {', '.join(key.scopes)}")
        services.access_log.record_use(key.id)
        actor = Actor(key.owner, key.id, request.scope["request_id"], address)
        return Principal(key.owner, frozenset(key.scopes), key.id, limits, actor)

    principal.scope = scope  # type: ignore[attr-defined] # a test walks over all routes by it
    return principal


def _record_refusal(request: Request, services: Services, code: str, key_id: str | None) -> None:
    address = request.client.host if request.client else None
    services.access_log.record_refusal(code, key_id, address, request.scope["request_id"])


def _enforce_rate_limit(request: Request, services: Services, who: str, limits: EffectiveLimits) -> None:
    share = services.rate_limiter.hit(who, limits.requests)
    request.scope["rate_limit"] = share.headers
    if share.retry_after is not None:
        raise TooManyRequests(share.retry_after)


ReadPrincipal = Annotated[Principal, Depends(require_scope("read"))]
WritePrincipal = Annotated[Principal, Depends(require_scope("write"))]
AdminPrincipal = Annotated[Principal, Depends(require_scope("admin"))]


async def _credential(request: Request, who: ReadPrincipal) -> Credential | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return keys.parse_credential(token.strip()) if who.key_id and scheme.lower() == "bearer" else None


CredentialDep = Annotated[Credential | None, Depends(_credential)]  # of requests that outlive their authentication


def add_queue_limit_headers(request: Request, who: Principal, services: Services) -> None:
    """Add the limit of queued jobs to the RateLimit headers."""
    most = who.limits.queued_jobs
    if most is not None:
        left = max(0, most - services.db.read(quotas.count_jobs, who.key_id, Status.QUEUED))
        headers = request.scope["rate_limit"]
        own = rate_limit_headers([f'"queued";q={most};qu="jobs"'], [f'"queued";r={left}'])
        request.scope["rate_limit"] = {
            name: ", ".join(filter(None, (headers.get(name), value))) for name, value in own.items()
        }
