"""Answers remembered under an Idempotency-Key, in the transaction of the effect itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.orm import Session

from app.db.tables import IdempotencyRow, now
from app.errors import KeyReused

KEEP_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; `replayed` says that it is the answer to an earlier request."""

    status: int
    body: dict[str, Any]
    replayed: bool = False


def once(
    session: Session, owner: str, key: str, digest: str, effect: Callable[[], tuple[int, dict[str, Any]]]
) -> Answer:
    """Carry out `effect` under this key unless it was carried out before; raises `KeyReused` for another request.

    The key's row is inserted first: a concurrent duplicate waits for this transaction and then sees its answer.
    """
    insert = insert_sqlite if session.get_bind().dialect.name == "sqlite" else insert_postgresql
    values = {"owner": owner, "key": key, "digest": digest, "status": 0, "body": {}, "created_at": now()}
    first = insert(IdempotencyRow).values(**values).on_conflict_do_nothing().returning(IdempotencyRow.key)
    if session.execute(first).first() is None:
        row = session.get_one(IdempotencyRow, (owner, key))
        if row.digest != digest:
            raise KeyReused
        return Answer(row.status, row.body, replayed=True)
    status, body = effect()
    mine = (IdempotencyRow.owner == owner, IdempotencyRow.key == key)
    session.execute(update(IdempotencyRow).where(*mine).values(status=status, body=body))
    return Answer(status, body)


def purge(session: Session) -> None:
    """Forget the answers older than a day."""
    session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < now() - KEEP_SECONDS))
