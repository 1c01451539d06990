"""One effect per Idempotency-Key: the response is stored in the transaction of the effect."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db.dialect import insert, is_lock_timeout
from app.db.sealing import Sealer
from app.db.tables import IdempotencyRow, now
from app.errors import IdempotencyKeyInUse, IdempotencyKeyReused

RETENTION_SECONDS = 86_400
SEALED_BODY = "sealed"  # the only field of a stored response that is sealed


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request whose effect happens once per `key`; without one, every time. `digest` stands for the request."""

    owner: str
    key: str | None
    digest: str


@dataclass(frozen=True, slots=True)
class IdempotentResponse:
    """A response: its status, its body, and whether it repeats an earlier one."""

    status: int
    body: dict[str, Any]
    replayed: bool


def run_once(
    session: Session,
    request: IdempotentRequest,
    effect: Callable[[], tuple[int, dict[str, Any]]],
    sealer: Sealer | None = None,
) -> IdempotentResponse:
    """Run the effect, or return the response that an earlier request with this key got; without a key, run it.

    A response with a secret is stored sealed by the `sealer`, and is gone with the row after a day.

    Of concurrent calls under one key the first inserts the key's row, and the others wait for the end of its
    transaction. Raises `IdempotencyKeyReused` if the key came with another request, and `IdempotencyKeyInUse` if the
    first call takes too long. If the effect raises, the key stays unused.
    """
    if request.key is None:
        return IdempotentResponse(*effect(), replayed=False)
    if _reserve(session, request):
        status, body = effect()
        stored = body if sealer is None else {SEALED_BODY: sealer.seal(json.dumps(body))}
        session.execute(update(IdempotencyRow).where(*_row_conditions(request)).values(status=status, body=stored))
        return IdempotentResponse(status, body, replayed=False)
    answer = find_response(session, request, sealer)
    if answer is None:  # purged at this very moment
        raise IdempotencyKeyInUse
    return answer


def find_response(
    session: Session, request: IdempotentRequest, sealer: Sealer | None = None
) -> IdempotentResponse | None:
    """Return the response that an earlier request with this key got, or `None`. Raises `IdempotencyKeyReused`.

    A first look, before expensive work; `run_once` decides. Raises `SecretSealed` where the response had a secret, and
    the key that sealed it is gone.
    """
    if request.key is None:
        return None
    row = session.scalar(select(IdempotencyRow).where(*_row_conditions(request)))
    if row is None:
        return None
    if row.digest != request.digest:
        raise IdempotencyKeyReused
    body = row.body if sealer is None else json.loads(sealer.open(row.body[SEALED_BODY]))
    return IdempotentResponse(row.status, body, replayed=True)


def purge(session: Session, limit: int = 1000) -> int:
    """Remove up to `limit` responses older than a day; return how many."""
    this = tuple_(IdempotencyRow.owner, IdempotencyRow.key)
    old = select(IdempotencyRow.owner, IdempotencyRow.key).where(IdempotencyRow.created_at < now() - RETENTION_SECONDS)
    forgotten = delete(IdempotencyRow).where(this.in_(old.limit(limit))).returning(IdempotencyRow.key)
    return len(session.scalars(forgotten, execution_options={"synchronize_session": False}).all())


def _reserve(session: Session, request: IdempotentRequest) -> bool:
    values = {"owner": request.owner, "key": request.key, "digest": request.digest}
    row = insert(session, IdempotencyRow).values(**values, status=0, body={})
    try:
        reserved = session.scalar(row.on_conflict_do_nothing().returning(IdempotencyRow.key))
    except OperationalError as error:
        if is_lock_timeout(error):
            raise IdempotencyKeyInUse from error
        raise
    return reserved is not None


def _row_conditions(request: IdempotentRequest) -> tuple[Any, ...]:
    return IdempotencyRow.owner == request.owner, IdempotencyRow.key == request.key
