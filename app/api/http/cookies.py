"""The cookie of a session, and the proof that a request with it comes from the service's own page.

Browsers send the cookie with whatever asks for it, scripts of other ports of the same host included: therefore the
cookie alone opens nothing. Its name has the port, so that services on one host do not sign each other's users out.
"""

import hmac

from fastapi import Request
from starlette.responses import Response

from app.access.sessions import MAX_SECONDS, csrf_token
from app.access.tokens import SESSION, parse_credential
from app.api.lanes import SAFE_METHODS
from app.errors import Forbidden, UnsupportedMediaType

COOKIE_PREFIX = "graftwerk_session"
CSRF_HEADER = "X-CSRF-Token"
_OWN_SITES = frozenset({"same-origin", "none"})  # `none`: an address that the user typed, or a bookmark


class CsrfFailed(Forbidden):
    """The request may come from another site: send the session's csrf_token in X-CSRF-Token."""

    code = "csrf_failed"


def cookie_name(request: Request) -> str:
    """Return the name of the session's cookie at the address that the browser knows: with its port, if it names one."""
    port = request.headers.get("host", "").rpartition(":")[2]
    return f"{COOKIE_PREFIX}_{port}" if port.isascii() and port.isdigit() else COOKIE_PREFIX


def session_token(request: Request) -> str:
    """Return the token in the cookie of a request; "" if it has none."""
    token = request.cookies.get(cookie_name(request), "")
    return token if parse_credential(token, SESSION) is not None else ""


def check_own_page(request: Request, token: str) -> None:
    """Check that a request with a session's cookie comes from the page. Raises `CsrfFailed`.

    The proof is the header with the token that only the page can read. Links and images cannot send it: for methods
    that change nothing the browser's word is enough, which is Sec-Fetch-Site, or Referer where a browser sends no other
    because the page came without TLS.
    """
    proof = request.headers.get(CSRF_HEADER)
    if proof is not None and hmac.compare_digest(proof.encode(), csrf_token(token).encode()):
        return
    if request.method not in SAFE_METHODS:
        raise CsrfFailed
    site = request.headers.get("sec-fetch-site")
    own = f"{request.scope['scheme']}://{request.headers.get('host', '')}/"
    if site not in _OWN_SITES and (site is not None or not request.headers.get("referer", "").startswith(own)):
        raise CsrfFailed


async def check_sign_in(request: Request) -> None:
    """Check that no other site signs a browser in: with an account of its own, it would see what the user does there.

    Browsers let other sites send no JSON without asking. Raises `UnsupportedMediaType`, `CsrfFailed`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("signing in takes application/json alone", hint="Content-Type: application/json")
    if request.headers.get("sec-fetch-site", "none") not in _OWN_SITES:
        raise CsrfFailed("another site cannot sign you in")


def set_session_cookie(response: Response, request: Request, token: str) -> None:
    """Let the browser keep a session's token; "" takes it away."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=round(MAX_SECONDS) if token else 0,
        path="/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )
