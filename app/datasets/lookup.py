"""The status of a data set, and queries for those of an owner."""

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.paging import IndexedRows, paginate
from app.db.tables import DatasetRow
from app.errors import NotFound


class DatasetStatus(StrEnum):
    """Progress of a data set's registration."""

    AWAITING_CONTENT = "awaiting_content"
    """Registered; its content has not arrived, or not all of it."""
    READY = "ready"
    """Described, and from now on unchangeable."""
    INVALID = "invalid"
    """The content has problems; another upload may replace it."""


def find(session: Session, owner: str, dataset_id: str, *, locked: bool = False, shared: bool = False) -> DatasetRow:
    """Return the owner's data set.

    `locked` keeps the row from being changed by others until the transaction ends, `shared` from being deleted.
    Raises `NotFound` if the owner has no such data set.
    """
    query = select(DatasetRow).where(DatasetRow.id == dataset_id, DatasetRow.owner == owner)
    if locked or shared:
        query = query.with_for_update(read=shared)
    row = session.scalar(query)
    if row is None:
        raise NotFound(f"there is no data set {dataset_id[:40]}")
    return row


def page(
    session: Session,
    owner: str,
    limit: int,
    after: str | None = None,
    status: Sequence[DatasetStatus] = (),
    name: str | None = None,
) -> tuple[Sequence[DatasetRow], bool]:
    """Return up to `limit` data sets, newest first, older than `after`; and whether there are more."""
    values = {DatasetRow.owner: owner} | ({DatasetRow.name: name} if name is not None else {})
    parts = [IndexedRows(DatasetRow.id, values | {DatasetRow.status: each}) for each in status or DatasetStatus]
    return paginate(session, select(DatasetRow), DatasetRow.id, limit, after, parts)
