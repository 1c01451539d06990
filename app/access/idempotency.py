"""One effect per Idempotency-Key: the response is stored in the transaction of the effect."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, select, tuple_, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db.dialect import INSERTS, dialect_name, is_lock_timeout
from app.db.sealing import Sealer
from app.db.tables import IdempotencyRow, now, table_of
from app.errors import IdempotencyKeyInUse, IdempotencyKeyReused

RETENTION_SECONDS = 86_400
SEALED_BODY = "sealed"  # the only field of a stored response that is sealed

_TABLE = table_of(IdempotencyRow)
_IS_THIS = (_TABLE.c.owner == bindparam("this_owner"), _TABLE.c.key == bindparam("this_key"))
_RESERVE = {
    dialect: insert(_TABLE).on_conflict_do_nothing().returning(_TABLE.c.key) for dialect, insert in INSERTS.items()
}
_FIND = select(_TABLE).where(*_IS_THIS)
_STORE = update(_TABLE).where(*_IS_THIS)


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
        session.execute(_STORE, {**_row_key(request), "status": status, "body": stored})
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
    row = session.execute(_FIND, _row_key(request)).first()
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
    row: dict[str, Any] = {
        "owner": request.owner,
        "key": request.key,
        "digest": request.digest,
        "status": 0,
        "body": {},
    }
    try:
        reserved = session.execute(_RESERVE[dialect_name(session)], row).first()
    except OperationalError as error:
        if is_lock_timeout(error):
            raise IdempotencyKeyInUse from error
        raise
    return reserved is not None


def _row_key(request: IdempotentRequest) -> dict[str, Any]:
    return {"this_owner": request.owner, "this_key": request.key}
