"""Authentication, scopes and lanes: a dependency of every route, which denies by default, before the body is read."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.access import keys, quotas
from app.access.audit import Actor
from app.access.first_key import OWNER
from app.access.quotas import EffectiveLimits, effective_limits
from app.access.tokens import KEY, Credential, parse_credential, parse_id
from app.api.http.bodies import received_body
from app.api.http.cookies import CsrfFailed, check_own_page, session_token
from app.api.lanes import SAFE_METHODS, keep_open
from app.api.rate_limits import rate_limit_headers
from app.api.services import Services, ServicesDep
from app.errors import Forbidden, TooManyRequests, Unauthenticated
from app.jobs.states import Status

SIGN_IN_RATE = "60/minute"  # attempts from one address


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner of a request, its key ("" without authentication), the limits of the key, and who asks for the audit.

    A browser that is signed in acts as its key; `session_id` is "" for programs.
    """

    owner: str
    scopes: frozenset[str]
    key_id: str
    limits: EffectiveLimits
    actor: Actor
    session_id: str = ""


def require_scope(scope: str) -> Callable[[Request], Awaitable[Principal]]:
    """Return the dependency of routes that need a scope; `admin` includes every other.

    Then the body is received, and a place in the request's lane taken, which the middleware gives back.
    """

    async def principal(request: Request) -> Principal:
        services: Services = request.app.state.services
        who = await _authenticate(request, services)
        if scope not in who.scopes and "admin" not in who.scopes:
            _record_refusal(request, services, Forbidden.code, who.key_id)
            raise Forbidden(f"this route needs the scope {scope}; the key has {', '.join(sorted(who.scopes))}")
        for used in filter(None, (who.key_id, who.session_id)):
            services.access_log.record_use(used)
        key = who.key_id or _address_key(request)
        if request.method not in SAFE_METHODS:
            await keep_open(request.scope, received_body(request, services, key))
        await services.lanes.take(request, key)
        return who

    principal.scope = scope  # type: ignore[attr-defined] # the description of the API and a test go by it
    return principal


async def reader_or_nobody(request: Request) -> Principal | None:
    """Return who sends a request, as of routes that need the scope `read`; `None` for one without key and session.

    A browser asks by it whether it is signed in. That it is not is no refusal, but counted by where it comes from.
    """
    services: Services = request.app.state.services
    if not services.settings.auth or "authorization" in request.headers or session_token(request):
        return await _read_principal(request)
    limits = effective_limits(services.settings, None, admin=False)
    _enforce_rate_limit(request, services, _address_key(request), limits)
    await services.lanes.take(request, _address_key(request))
    return None


async def enter_lane(request: Request, services: ServicesDep) -> None:
    """Receive the body of a request that needs no key, and take a place in its lane."""
    if request.method not in SAFE_METHODS:
        await keep_open(request.scope, received_body(request, services, _address_key(request)))
    await services.lanes.take(request, _address_key(request))


async def count_sign_in(request: Request, services: ServicesDep) -> None:
    """Count an attempt to sign in by where it comes from. Raises `TooManyRequests`."""
    if services.settings.auth and services.settings.rate_limit:
        limits = effective_limits(services.settings, {"requests": SIGN_IN_RATE}, admin=False)
        _enforce_rate_limit(request, services, f"sign-in {_address_key(request)}", limits)


def record_failed_sign_in(request: Request, services: Services, code: str, token: str) -> None:
    """Count a refused attempt to sign in for the audit."""
    _record_refusal(request, services, code, parse_id(token))


def anonymous_actor(request: Request, owner: str, key_id: str) -> Actor:
    """Return who an audit entry names for a request that says by its body alone who sends it."""
    return Actor(owner, key_id, request.scope["request_id"], _client_address(request))


def _request_token(request: Request) -> str:
    """Return the token of a request, a key's in its head or else a session's in its cookie; "" if it has none.

    A request with an Authorization is by that alone.
    """
    authorization = request.headers.get("authorization")
    if authorization is None:
        return session_token(request)
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" and parse_credential(token.strip(), KEY) else ""


async def _authenticate(request: Request, services: Services) -> Principal:
    """Return who sends a request, and count it. Raises `Unauthenticated`, `TooManyRequests`, `CsrfFailed`."""
    address = _client_address(request)
    if not services.settings.auth:
        limits = effective_limits(services.settings, None, admin=True)
        _enforce_rate_limit(request, services, "anybody", limits)
        actor = Actor(OWNER, None, request.scope["request_id"], address)
        return Principal(OWNER, frozenset(keys.SCOPES), "", limits, actor)
    token = _request_token(request)
    try:
        key = await services.key_cache.identify(token)
    except Unauthenticated as error:  # guessing is counted by where it comes from
        _record_refusal(request, services, error.code, parse_id(token))
        _enforce_rate_limit(
            request, services, _address_key(request), effective_limits(services.settings, None, admin=False)
        )
        raise
    _enforce_rate_limit(request, services, key.key_id, key.limits)
    if key.session_id:
        _check_session(request, services, token, key.key_id)
    actor = Actor(key.owner, key.key_id, request.scope["request_id"], address)
    return Principal(key.owner, key.scopes, key.key_id, key.limits, actor, key.session_id)


def _check_session(request: Request, services: Services, token: str, key_id: str) -> None:
    try:
        check_own_page(request, token)
    except CsrfFailed as error:
        _record_refusal(request, services, error.code, key_id)
        raise


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


_read_principal = require_scope("read")
reader_or_nobody.scope = "read"  # type: ignore[attr-defined] # as above
ReadPrincipal = Annotated[Principal, Depends(_read_principal)]
WritePrincipal = Annotated[Principal, Depends(require_scope("write"))]
AdminPrincipal = Annotated[Principal, Depends(require_scope("admin"))]


def request_credential(request: Request, who: Principal) -> Credential | None:
    """Return the credential of a request that outlives its authentication; `None` without authentication."""
    return parse_credential(_request_token(request)) if who.key_id else None


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
