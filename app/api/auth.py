"""Authentication, scopes and lanes: a dependency of every route, which denies by default, before the body is read."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from app.access import keys, quotas
from app.access.audit import Actor
from app.access.first_key import OWNER
from app.access.keys import Credential
from app.access.quotas import EffectiveLimits, effective_limits
from app.api.http.bodies import received_body
from app.api.lanes import requested_lane
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


def require_scope(scope: str) -> Callable[..., AsyncIterator[Principal]]:
    """Return the dependency of routes that need a scope; `admin` includes every other.

    Then the body is received, and a place in the request's lane is held until the response is sent.
    """

    async def principal(
        request: Request,
        services: ServicesDep,
        token: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> AsyncIterator[Principal]:
        who = await _authenticate(request, services, token.credentials if token is not None else "")
        if scope not in who.scopes and "admin" not in who.scopes:
            _record_refusal(request, services, Forbidden.code, who.key_id)
            raise Forbidden(f"this route needs the scope {scope}; the key has {', '.join(sorted(who.scopes))}")
        if who.key_id:
            services.access_log.record_use(who.key_id)
        key = who.key_id or _address_key(request)
        async with received_body(request, services, key), services.lanes.enter(requested_lane(request), key):
            yield who

    principal.scope = scope  # type: ignore[attr-defined] # a test walks over all routes by it
    return principal


async def enter_lane(request: Request, services: ServicesDep) -> AsyncIterator[None]:
    """Hold a place in the lane of a request that needs no key, until the response is sent."""
    async with services.lanes.enter(requested_lane(request), _address_key(request)):
        yield


async def _authenticate(request: Request, services: Services, token: str) -> Principal:
    """Return who sends a request, and count it. Raises `Unauthenticated`, `TooManyRequests`."""
    address = _client_address(request)
    if not services.settings.auth:
        limits = effective_limits(services.settings, None, admin=True)
        _enforce_rate_limit(request, services, "anybody", limits)
        actor = Actor(OWNER, None, request.scope["request_id"], address)
        return Principal(OWNER, frozenset(keys.SCOPES), "", limits, actor)
    try:
        key = await run_in_threadpool(services.db.read, keys.authenticate, token)
    except Unauthenticated as error:  # guessing is counted by where it comes from
        _record_refusal(request, services, error.code, keys.parse_key_id(token))
        _enforce_rate_limit(
            request, services, _address_key(request), effective_limits(services.settings, None, admin=False)
        )
        raise
    limits = effective_limits(services.settings, key.limits, "admin" in key.scopes)
    _enforce_rate_limit(request, services, key.id, limits)
    actor = Actor(key.owner, key.id, request.scope["request_id"], address)
    return Principal(key.owner, frozenset(key.scopes), key.id, limits, actor)


def _client_address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _address_key(request: Request) -> str:
    """Return what stands for a key where there is none."""
    return f"host {_client_address(request) or ''}"


def _record_refusal(request: Request, services: Services, code: str, key_id: str | None) -> None:
    services.access_log.record_refusal(code, key_id, _client_address(request), request.scope["request_id"])


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
