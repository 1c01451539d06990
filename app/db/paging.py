"""Keyset pagination: a page goes on after the last id of the one before, whatever came or went meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.dialect import is_postgresql

RowT = TypeVar("RowT")
Column = InstrumentedAttribute[Any]
Parameters = Mapping[str, str]
_AFTER, _LIMIT = bindparam("after", type_=String), bindparam("limit", type_=Integer)


@dataclass(frozen=True, slots=True)
class IndexedRows:
    """The rows that have some values in the leading columns of an index whose next column is `id_`.

    `conditions` are others, of the index or not. Values may be parameters of the query.
    """

    id_: InstrumentedAttribute[str]
    values: Mapping[Column, str | ColumnElement[str]]
    conditions: Sequence[ColumnElement[bool]] = field(default=())

    def ids(self, postgresql: bool, after: bool) -> Select[str]:
        """Return a query of the ``limit`` greatest ids, below ``after`` if there is one: both are parameters.

        PostgreSQL takes columns that equal a constant out of the order. It may then find the page in the primary key,
        where it reads past all other rows to the first of these. So values are compared as rows, which SQLite in turn
        does not look up in an index.
        """
        query = select(self.id_).where(*self.conditions).limit(_LIMIT)
        if postgresql:
            given = [literal(value) if isinstance(value, str) else value for value in self.values.values()]
            columns, values = tuple_(*self.values), tuple_(*given)
            until = tuple_(*self.values, self.id_) < tuple_(*given, _AFTER) if after else columns <= values
            descending = [column.desc() for column in (*self.values, self.id_)]
            return query.where(columns >= values, until).order_by(*descending)
        until = self.id_ < _AFTER if after else true()
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
    page = page_query(query, id_, parts, is_postgresql(session), after is not None)
    rows = session.scalars(page, page_parameters(limit, after)).all()
    return rows[:limit], len(rows) > limit


def page_query(
    query: Select[RowT], id_: ColumnElement[str] | Column, parts: Sequence[IndexedRows], postgresql: bool, after: bool
) -> Select[RowT]:
    """Return the query of a page, and of the first row of the next one; it takes `page_parameters`.

    `after`: whether the page follows another one.
    """
    firsts = [select(part.ids(postgresql, after).subquery().c[part.id_.key].label("id")) for part in parts]
    merged = union_all(*firsts).subquery()
    newest = select(merged.c.id).order_by(merged.c.id.desc()).limit(_LIMIT)
    return query.where(id_.in_(newest)).order_by(id_.desc())


def page_parameters(limit: int, after: str | None) -> dict[str, Any]:
    """Return the parameters of a page of up to `limit` rows."""
    return {"limit": limit + 1} | ({"after": after} if after is not None else {})


def count_up_to(session: Session, parts: Sequence[IndexedRows], limit: int, parameters: Parameters) -> int:
    """Return how many rows the parts have, looking at `limit` of each at most; their values may be `parameters`."""
    ids = [part.ids(is_postgresql(session), after=False).subquery() for part in parts]
    ones: list[Select[Any]] = [select(literal_column("1")).select_from(each) for each in ids]
    count = select(func.count()).select_from(union_all(*ones).subquery())
    return session.scalar(count, {"limit": limit, **parameters}) or 0
