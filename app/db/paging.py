"""Keyset pagination: a page goes on after the last id of the one before, whatever came or went meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, func, literal_column, select, true, tuple_, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.dialect import is_postgresql

RowT = TypeVar("RowT")
Column = InstrumentedAttribute[Any]


@dataclass(frozen=True, slots=True)
class IndexedRows:
    """The rows that have some values in the leading columns of an index whose next column is `id_`.

    `conditions` are others, of the index or not.
    """

    id_: InstrumentedAttribute[str]
    values: Mapping[Column, str]
    conditions: Sequence[ColumnElement[bool]] = field(default=())

    def ids(self, session: Session, limit: int, after: str | None = None) -> Select[str]:
        """Return a query of the `limit` greatest ids below `after`.

        PostgreSQL takes columns that equal a constant out of the order. It may then find the page in the primary key,
        where it reads past all other rows to the first of these. So values are compared as rows, which SQLite in turn
        does not look up in an index.
        """
        query = select(self.id_).where(*self.conditions).limit(limit)
        if is_postgresql(session):
            columns, values = tuple_(*self.values), tuple(self.values.values())
            until = columns <= values if after is None else tuple_(*self.values, self.id_) < (*values, after)
            descending = [column.desc() for column in (*self.values, self.id_)]
            return query.where(columns >= values, until).order_by(*descending)
        until = self.id_ < after if after is not None else true()
        return query.where(*(column == value for column, value in self.values.items()), until).order_by(self.id_.desc())


def paginate(
    session: Session,
    query: Select[RowT],
    id_: InstrumentedAttribute[str],
    limit: int,
    after: str | None,
    parts: Sequence[IndexedRows],
) -> tuple[Sequence[RowT], bool]:
    """Return up to `limit` rows of the parts, newest first, older than the id `after`; and whether there are more.

    `query` selects whole rows. However many rows there are, and however few are in a part, an index serves the page.
    """
    ids = merge_ids(session, parts, limit + 1, after)
    rows = session.scalars(query.where(id_.in_(ids)).order_by(id_.desc())).all()
    return rows[:limit], len(ids) > limit


def merge_ids(session: Session, parts: Sequence[IndexedRows], limit: int, after: str | None) -> Sequence[str]:
    """Return the `limit` greatest ids below `after` of all parts."""
    firsts = [select(part.ids(session, limit, after).subquery().c[part.id_.key].label("id")) for part in parts]
    merged = union_all(*firsts).subquery()
    return session.scalars(select(merged.c.id).order_by(merged.c.id.desc()).limit(limit)).all()


def count_up_to(session: Session, parts: Sequence[IndexedRows], limit: int) -> int:
    """Return how many rows the parts have, looking at `limit` of each at most."""
    ones: list[Select[Any]] = [
        select(literal_column("1")).select_from(part.ids(session, limit).subquery()) for part in parts
    ]
    return session.scalar(select(func.count()).select_from(union_all(*ones).subquery())) or 0
