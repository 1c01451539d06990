"""Data sets: registered by name, or uploaded in pieces and described before anything trains on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy import delete as delete_rows
from sqlalchemy.orm import Session

from app.db.tables import DatasetRow, JobRow
from app.errors import InvalidInput, NotFound, Problem, StateForbids, WrongOffset
from app.ids import new_id
from app.jobs.states import ENDED
from app.spec.columns import DataSchema
from app.spec.data import NAMED, NewDataset, UploadSource


class DatasetStatus(StrEnum):
    """How far a data set is."""

    AWAITING_CONTENT = "awaiting_content"
    """Registered; its content has not arrived, or not all of it."""
    READY = "ready"
    """Described, and from now on unchangeable."""
    INVALID = "invalid"
    """The content has problems; another upload may replace it."""


@dataclass(frozen=True, slots=True)
class Content:
    """Content that was found to be a data set, and lies in the artifact store."""

    schema: DataSchema
    preview: Sequence[Any]
    format: str
    path: str
    size: int  # bytes
    sha256: str


def register(session: Session, owner: str, new: NewDataset) -> DatasetRow:
    """Register a data set: one with a name is ready at once."""
    source = new.source
    schema = None if isinstance(source, UploadSource) else NAMED[source.kind][source.name]
    row = DatasetRow(
        id=new_id("ds"), owner=owner, name=new.name, source=source.model_dump(mode="json"), parts=[],
        status=DatasetStatus.AWAITING_CONTENT if schema is None else DatasetStatus.READY,
        data_schema=None if schema is None else schema.model_dump(mode="json"),
    )  # fmt: skip
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def find(session: Session, owner: str, dataset_id: str) -> DatasetRow:
    """Return the owner's data set; raises `NotFound` for any other."""
    row = session.scalar(_owned(owner, dataset_id))
    if row is None:
        raise NotFound(f"there is no data set {dataset_id}")
    return row


def page(session: Session, owner: str, limit: int, after: str | None = None) -> tuple[Sequence[DatasetRow], bool]:
    """Return up to `limit` data sets, newest first, older than `after`; and whether there are more."""
    query = select(DatasetRow).where(DatasetRow.owner == owner)
    if after is not None:
        query = query.where(DatasetRow.id < after)
    rows = session.scalars(query.order_by(DatasetRow.id.desc()).limit(limit + 1)).all()
    return rows[:limit], len(rows) > limit


def schema_of(session: Session, owner: str, dataset_id: str) -> DataSchema:
    """Return what a job needs to know of the data set; raises `InvalidInput` (at /data/id) if it is not ready."""
    try:
        row = find(session, owner, dataset_id)
    except NotFound as error:
        raise InvalidInput([Problem("/data/id", "unknown_dataset", error.detail, "register it first")]) from None
    if row.status != DatasetStatus.READY or row.data_schema is None:
        detail = f"the data set is {row.status}"
        raise InvalidInput([Problem("/data/id", "dataset_not_ready", detail, "upload its content first")])
    return DataSchema.model_validate(row.data_schema)


def pin(session: Session, owner: str, dataset_id: str) -> None:
    """Keep the data set from being deleted until the transaction of a job that names it has ended."""
    if session.scalar(_owned(owner, dataset_id).with_for_update(read=True)) is None:
        problem = Problem("/data/id", "unknown_dataset", f"there is no data set {dataset_id}", "register it first")
        raise InvalidInput([problem])


def awaiting(session: Session, owner: str, dataset_id: str) -> DatasetRow:
    """Return a data set that content may be sent to, locked; raises `NotFound`, `StateForbids`."""
    row = session.scalar(_owned(owner, dataset_id).with_for_update())
    if row is None:
        raise NotFound(f"there is no data set {dataset_id}")
    if row.source["kind"] != "upload":
        raise StateForbids(f"a {row.source['kind']} data set has no content of its own")
    if row.status == DatasetStatus.READY:
        raise StateForbids("the data set has its content and never changes", hint="register another one")
    return row


def extend(session: Session, owner: str, dataset_id: str, offset: int, part: Mapping[str, Any]) -> DatasetRow:
    """Note that a piece {path, size} has arrived at `offset`; raises `WrongOffset` unless it follows the last one."""
    row = awaiting(session, owner, dataset_id)
    if row.size != offset:
        raise WrongOffset(row.size)
    row.parts = [*row.parts, dict(part)]
    row.size += part["size"]
    row.status, row.problems = DatasetStatus.AWAITING_CONTENT, None
    session.flush()
    return row


def accept(session: Session, owner: str, dataset_id: str, content: Content) -> tuple[DatasetRow, list[str]]:
    """Make the data set ready; returns it, and the keys of pieces that are superfluous after the commit."""
    row = awaiting(session, owner, dataset_id)
    superfluous = [part["path"] for part in row.parts]
    row.status, row.parts, row.problems = DatasetStatus.READY, [], None
    row.source = row.source | {"format": content.format}
    row.data_schema, row.preview = content.schema.model_dump(mode="json"), list(content.preview)
    row.path, row.size, row.sha256 = content.path, content.size, content.sha256
    session.flush()
    return row, superfluous


def reject(session: Session, owner: str, dataset_id: str, problems: Sequence[Problem]) -> list[str]:
    """Note what is wrong with the content, which is forgotten; returns the keys of its pieces."""
    row = awaiting(session, owner, dataset_id)
    superfluous = [part["path"] for part in row.parts]
    row.status, row.parts, row.size = DatasetStatus.INVALID, [], 0
    row.problems = [problem.as_dict() for problem in problems]
    session.flush()
    return superfluous


def delete(session: Session, owner: str, dataset_id: str) -> list[str]:
    """Delete a data set that no unfinished job needs; returns the keys of files to remove after the commit."""
    row = session.scalar(_owned(owner, dataset_id).with_for_update())
    if row is None:
        raise NotFound(f"there is no data set {dataset_id}")
    needed = select(JobRow.id).where(
        JobRow.owner == owner,
        JobRow.status.not_in(ENDED),
        JobRow.spec["data"]["id"].as_string() == dataset_id,
    )
    job_id = session.scalar(needed.limit(1))
    if job_id is not None:
        raise StateForbids(f"{job_id} needs the data set", hint="cancel the job, or wait for its end")
    session.execute(delete_rows(DatasetRow).where(DatasetRow.id == row.id))
    return [part["path"] for part in row.parts] + ([row.path] if row.path else [])


def _owned(owner: str, dataset_id: str) -> Select[DatasetRow]:
    return select(DatasetRow).where(DatasetRow.id == dataset_id, DatasetRow.owner == owner)
