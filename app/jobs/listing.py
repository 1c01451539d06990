"""Lists of jobs: whatever is filtered by, an index finds the page, among millions of jobs too."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, String, bindparam, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.db.dialect import is_postgresql
from app.db.paging import IndexedRows, count_up_to, page_parameters, page_query
from app.db.tables import JobRow, LabelRow, table_of
from app.jobs.states import Status

_JOBS = table_of(JobRow).c
SUMMARY_COLUMNS = (
    _JOBS.id,
    _JOBS.name,
    _JOBS.labels,
    _JOBS.status,
    _JOBS.phase,
    _JOBS.wish,
    _JOBS.queue,
    _JOBS.priority,
    _JOBS.progress,
    _JOBS.error,
    _JOBS.worker,
    _JOBS.not_before,
    _JOBS.version,
    _JOBS.created_at,
    _JOBS.started_at,
    _JOBS.finished_at,
    _JOBS.deleted_at,
    _JOBS.updated_at,
)  # what a list shows: specs and inspections are long
DELETED = "deleted"  # stands beside the labels of a deleted job in place of its status
_LIKE_SIGNS = re.compile("[%_/]")  # what a pattern of LIKE has for other signs, and the sign that escapes them
COUNTED = 500  # matches of each filter, to begin with the one that has the fewest


@dataclass(frozen=True, slots=True)
class JobFilters:
    """What a list is filtered by. Owner, name, search, keys and values of labels are parameters of its queries."""

    statuses: tuple[str, ...]  # () for every one
    named: bool
    labels: int  # their number
    deleted: bool
    searched: bool = False

    @property
    def starts(self) -> list[int | None]:
        """The filters that the search may start with: labels by their number, `None` for name and status."""
        others = list(range(self.labels))
        return [*others, None] if not others or self.named or self.statuses else [*others]

    def parts(self, start: int | None) -> list[IndexedRows]:
        """Return the rows of one filter."""
        statuses = self.statuses or tuple(Status)
        if start is not None:
            return _by_label(start, (DELETED,) if self.deleted else statuses)
        if self.searched and not (self.named or self.statuses or self.deleted):
            return _by_any_name()
        return _deleted(statuses, self.named) if self.deleted else _by_status(statuses, self.named)


def page(
    session: Session,
    owner: str,
    limit: int,
    after: str | None = None,
    status: Sequence[str] = (),
    name: str | None = None,
    labels: Mapping[str, str] | None = None,
    deleted: bool = False,
    search: str | None = None,
) -> tuple[Sequence[Row[Any]], bool]:
    """Return up to `limit` jobs, newest first, older than the job `after`; and whether there are more.

    Those that are deleted, or those that are not. Their rows have the `SUMMARY_COLUMNS`. `search`: a part of the name.

    Every status, every name with a status and every label with a status has its jobs in the order of their ids in an
    index, so that a page merges the first of each. Several filters begin with the one that has the fewest jobs, and
    look up the others for each: this takes long only where each of them has very many jobs, but hardly any has all.
    No index knows the parts of names: a search alone reads all names in their index, and the jobs of those that match;
    with other filters it reads the jobs that these leave until the page is full.
    """
    pairs = labels or {}
    statuses = tuple(each for each in Status if each in status)
    filters = JobFilters(statuses, name is not None, len(pairs), deleted, search is not None)
    values = {"owner": owner} | ({"name": name} if name is not None else {})
    if search is not None:
        values["search"] = "%" + _LIKE_SIGNS.sub(r"/\g<0>", search) + "%"
    for number, (key, value) in enumerate(pairs.items()):
        values |= {f"key_{number}": key, f"value_{number}": value}
    query = _page_query(filters, _rarest(session, filters, values), is_postgresql(session), after is not None)
    rows = session.execute(query, values | page_parameters(limit, after)).all()
    return rows[:limit], len(rows) > limit


def _rarest(session: Session, filters: JobFilters, values: Mapping[str, str]) -> int | None:
    """Return the filter with the fewest jobs, of those that are counted."""
    if len(filters.starts) == 1:
        return filters.starts[0]
    counts = {start: count_up_to(session, filters.parts(start), COUNTED, values) for start in filters.starts}
    return min(counts, key=lambda start: counts[start])


@lru_cache(maxsize=256)
def _page_query(filters: JobFilters, start: int | None, postgresql: bool, after: bool) -> Select[Any]:
    """Return the query of a page, which takes longer to build than to run."""
    parts = filters.parts(start)
    others = [_has_label(parts[0].id_, number) for number in range(filters.labels) if number != start]
    searched = [JobRow.name.ilike(_text("search"), escape="/")] if filters.searched else []
    if start is None:
        others += searched
    else:  # whose rows have neither the name nor the status before the deletion
        others += _has_name_and_status(filters.named, filters.statuses if filters.deleted else (), searched)
    parts = [replace(part, conditions=(*part.conditions, *others)) for part in parts]
    return page_query(select(*SUMMARY_COLUMNS), _JOBS.id, parts, postgresql, after)


def _text(name: str) -> ColumnElement[str]:
    """Return a parameter."""
    return bindparam(name, type_=String)


def _by_status(statuses: Sequence[str], named: bool) -> list[IndexedRows]:
    values = {JobRow.owner: _text("owner")} | ({JobRow.name: _text("name")} if named else {})
    shown = [JobRow.deleted_at.is_(None)]
    return [IndexedRows(JobRow.id, values | {JobRow.status: each}, shown) for each in statuses]


def _by_any_name() -> list[IndexedRows]:
    """Return the rows of an owner from the index of names: a name is at least ""."""
    return [IndexedRows(JobRow.id, {JobRow.owner: _text("owner")}, [JobRow.name >= "", JobRow.deleted_at.is_(None)])]


def _deleted(statuses: Sequence[str], named: bool) -> list[IndexedRows]:
    conditions: list[ColumnElement[bool]] = [JobRow.deleted_at.is_not(None), JobRow.status.in_(statuses)]
    conditions += [JobRow.name == _text("name")] if named else []
    return [IndexedRows(JobRow.id, {JobRow.owner: _text("owner")}, conditions)]


def _by_label(number: int, statuses: Sequence[str]) -> list[IndexedRows]:
    key, value = _text(f"key_{number}"), _text(f"value_{number}")
    label = {LabelRow.owner: _text("owner"), LabelRow.key: key, LabelRow.value: value}
    return [IndexedRows(LabelRow.job_id, label | {LabelRow.status: each}) for each in statuses]


def _has_label(job_id: InstrumentedAttribute[str], number: int) -> ColumnElement[bool]:
    other = aliased(LabelRow)
    named = (other.key == _text(f"key_{number}"), other.value == _text(f"value_{number}"))
    found = select(other.key).where(other.job_id == job_id, *named)
    return exists(found.offset(0))  # so PostgreSQL does not plan it as a join: those of 32 tables took it seconds


def _has_name_and_status(
    named: bool, statuses: Sequence[str], searched: Sequence[ColumnElement[bool]]
) -> list[ColumnElement[bool]]:
    conditions = [*searched, *([JobRow.name == _text("name")] if named else [])]
    if statuses:
        conditions.append(JobRow.status.in_(statuses))
    return [exists().where(JobRow.id == LabelRow.job_id, *conditions)] if conditions else []
