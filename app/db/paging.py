"""Keyset pagination: a page goes on after the last id of the one before, whatever came or went meanwhile."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

RowT = TypeVar("RowT")


def paginate(
    session: Session, query: Select[RowT], id_: InstrumentedAttribute[str], limit: int, after: str | None
) -> tuple[Sequence[RowT], bool]:
    """Return up to `limit` rows of the query, newest first, older than the id `after`; and whether there are more."""
    if after is not None:
        query = query.where(id_ < after)
    rows = session.scalars(query.order_by(id_.desc()).limit(limit + 1)).all()
    return rows[:limit], len(rows) > limit
