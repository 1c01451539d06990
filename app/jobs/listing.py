"""Lists of jobs: whatever is filtered by, an index finds the page, among millions of jobs too."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, load_only

from app.db.paging import IndexedRows, count_up_to, paginate
from app.db.tables import JobRow, LabelRow
from app.jobs.states import Status

SUMMARY_COLUMNS = (
    JobRow.id,
    JobRow.name,
    JobRow.labels,
    JobRow.status,
    JobRow.phase,
    JobRow.wish,
    JobRow.queue,
    JobRow.priority,
    JobRow.progress,
    JobRow.error,
    JobRow.not_before,
    JobRow.version,
    JobRow.created_at,
    JobRow.started_at,
    JobRow.finished_at,
    JobRow.deleted_at,
    JobRow.updated_at,
)  # what a list shows: specs and inspections are long
DELETED = "deleted"  # stands beside the labels of a deleted job in place of its status
COUNTED = 500  # matches of each filter, to begin with the one that has the fewest


def page(
    session: Session,
    owner: str,
    limit: int,
    after: str | None = None,
    status: Sequence[str] = (),
    name: str | None = None,
    labels: Mapping[str, str] | None = None,
    deleted: bool = False,
) -> tuple[Sequence[JobRow], bool]:
    """Return up to `limit` jobs, newest first, older than the job `after`; and whether there are more.

    Those that are deleted, or those that are not. Of the rows only `SUMMARY_COLUMNS` are loaded.

    Every status, every name with a status and every label with a status has its jobs in the order of their ids in an
    index, so that a page merges the first of each. Several filters begin with the one that has the fewest jobs, and
    look up the others for each: this takes long only where each of them has very many jobs, but hardly any has all.
    """
    statuses = [str(each) for each in status or Status]
    pairs = dict(labels or {})
    candidates: dict[str | None, list[IndexedRows]] = {
        key: _by_label(owner, key, value, [DELETED] if deleted else statuses) for key, value in pairs.items()
    }
    if not pairs or status or name is not None:
        candidates[None] = _by_status(owner, statuses, name, deleted)
    chosen = _rarest(session, candidates)
    parts = candidates[chosen]
    others = [_has_label(parts[0].id_, key, value) for key, value in pairs.items() if key != chosen]
    if chosen is not None:  # whose rows have neither the name nor the status before the deletion
        others += _has_name_and_status(name, status if deleted else ())
    query = select(JobRow).options(load_only(*SUMMARY_COLUMNS, raiseload=True))
    parts = [replace(part, conditions=(*part.conditions, *others)) for part in parts]
    return paginate(session, query, JobRow.id, limit, after, parts)


def _rarest(session: Session, candidates: Mapping[str | None, list[IndexedRows]]) -> str | None:
    """Return the filter with the fewest jobs, of those that are counted."""
    if len(candidates) == 1:
        return next(iter(candidates))
    counts = {key: count_up_to(session, parts, COUNTED) for key, parts in candidates.items()}
    return min(counts, key=lambda key: counts[key])


def _by_status(owner: str, status: Sequence[str], name: str | None, deleted: bool) -> list[IndexedRows]:
    if deleted:
        conditions: list[ColumnElement[bool]] = [JobRow.deleted_at.is_not(None), JobRow.status.in_(status)]
        conditions += [JobRow.name == name] if name is not None else []
        return [IndexedRows(JobRow.id, {JobRow.owner: owner}, conditions)]
    named = {JobRow.name: name} if name is not None else {}
    shown = [JobRow.deleted_at.is_(None)]
    return [IndexedRows(JobRow.id, {JobRow.owner: owner} | named | {JobRow.status: each}, shown) for each in status]


def _by_label(owner: str, key: str, value: str, status: Sequence[str]) -> list[IndexedRows]:
    label = {LabelRow.owner: owner, LabelRow.key: key, LabelRow.value: value}
    return [IndexedRows(LabelRow.job_id, label | {LabelRow.status: each}) for each in status]


def _has_label(job_id: InstrumentedAttribute[str], key: str, value: str) -> ColumnElement[bool]:
    other = aliased(LabelRow)
    return exists().where(other.job_id == job_id, other.key == key, other.value == value)


def _has_name_and_status(name: str | None, status: Sequence[str]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [JobRow.name == name] if name is not None else []
    if status:
        conditions.append(JobRow.status.in_(status))
    return [exists().where(JobRow.id == LabelRow.job_id, *conditions)] if conditions else []
