"""One effect per Idempotency-Key: the response is stored in the transaction of the effect."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db.dialect import insert, is_lock_timeout
from app.db.tables import IdempotencyRow, now
from app.errors import IdempotencyKeyInUse, IdempotencyKeyReused

RETENTION_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class IdempotentResponse:
    """A response: its status, its body, and whether it repeats an earlier one."""

    status: int
    body: dict[str, Any]
    replayed: bool


def run_once(
    session: Session, owner: str, key: str | None, digest: str, effect: Callable[[], tuple[int, dict[str, Any]]]
) -> IdempotentResponse:
    """Run the effect, or return the response that an earlier request with this key got; without a key, run it.

    Of concurrent calls under one key the first inserts the key's row, and the others wait for the end of its
    transaction. `digest` stands for the request. Raises `IdempotencyKeyReused` if the key came with another one, and
    `IdempotencyKeyInUse` if the first call takes too long. If the effect raises, the key stays unused.
    """
    if key is None:
        return IdempotentResponse(*effect(), replayed=False)
    if _reserve(session, owner, key, digest):
        status, body = effect()
        session.execute(update(IdempotencyRow).where(*_row_conditions(owner, key)).values(status=status, body=body))
        return IdempotentResponse(status, body, replayed=False)
    answer = find_response(session, owner, key, digest)
    if answer is None:  # purged at this very moment
        raise IdempotencyKeyInUse
    return answer


def find_response(session: Session, owner: str, key: str, digest: str) -> IdempotentResponse | None:
    """Return the response that an earlier request with this key got, or `None`. Raises `IdempotencyKeyReused`.

    A first look, before expensive work; `run_once` decides.
    """
    row = session.scalar(select(IdempotencyRow).where(*_row_conditions(owner, key)))
    if row is None:
        return None
    if row.digest != digest:
        raise IdempotencyKeyReused
    return IdempotentResponse(row.status, row.body, replayed=True)


def purge(session: Session, limit: int = 1000) -> int:
    """Remove up to `limit` responses older than a day; return how many."""
    this = tuple_(IdempotencyRow.owner, IdempotencyRow.key)
    old = select(IdempotencyRow.owner, IdempotencyRow.key).where(IdempotencyRow.created_at < now() - RETENTION_SECONDS)
    forgotten = delete(IdempotencyRow).where(this.in_(old.limit(limit))).returning(IdempotencyRow.key)
    return len(session.scalars(forgotten, execution_options={"synchronize_session": False}).all())


def _reserve(session: Session, owner: str, key: str, digest: str) -> bool:
    row = insert(session, IdempotencyRow).values(owner=owner, key=key, digest=digest, status=0, body={})
    try:
        reserved = session.scalar(row.on_conflict_do_nothing().returning(IdempotencyRow.key))
    except OperationalError as error:
        if is_lock_timeout(error):
            raise IdempotencyKeyInUse from error
        raise
    return reserved is not None


def _row_conditions(owner: str, key: str) -> tuple[Any, ...]:
    return IdempotencyRow.owner == owner, IdempotencyRow.key == key
