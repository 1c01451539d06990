"""`Idempotency-Key`: what creates something has its effect once. Routes declare it by the parameter `once: Once`."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from sqlalchemy.orm import Session

from app.access import idempotency
from app.access.idempotency import IdempotentRequest, IdempotentResponse
from app.api.http.bodies import RequestBodyDep
from app.api.services import Services, ServicesDep
from app.db.sealing import Sealer

Effect = Callable[[Session], tuple[int, dict[str, Any]]]  # changes the database; returns status and body


@dataclass(frozen=True, slots=True)
class OnceRequest:
    """A request that has its effect once, if it has an `Idempotency-Key`."""

    services: Services
    key: str | None
    head: str  # method and path
    content: bytes

    def of(self, owner: str) -> IdempotentRequest:
        """Return the request of an owner, whose keys are its own, with a digest of method, path and body."""
        if self.key is None:
            return IdempotentRequest(owner, None, "")
        head = f"{self.head}\n".encode("utf-8", "surrogatepass")
        return IdempotentRequest(owner, self.key, hashlib.sha256(head + self.content).hexdigest())

    def run(self, owner: str, effect: Effect, *, secret: bool = False) -> IdempotentResponse:
        """Run the effect, or return the response to the request before; a response with a `secret` is kept sealed.

        Raises `IdempotencyKeyReused`, `IdempotencyKeyInUse`, and what the effect raises.
        """
        sealer: Sealer | None = self.services.sealer if secret else None

        def unit(session: Session) -> IdempotentResponse:
            return idempotency.run_once(session, self.of(owner), lambda: effect(session), sealer)

        return self.services.db.run(unit)


async def once_request(
    request: Request,
    services: ServicesDep,
    body: RequestBodyDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=r"^[!-~]([ -~]*[!-~])?$",
            description="A repeated request with the same key has no second effect, and the same answer; for a day.",
        ),
    ] = None,
) -> OnceRequest:
    """Return the request with its key."""
    return OnceRequest(services, idempotency_key, f"{request.method} {request.scope['path']}", body.content)


Once = Annotated[OnceRequest, Depends(once_request)]
