"""Content of an uploaded data set: its parts, then all of it, which is accepted or rejected.

Functions that make parts superfluous return their keys, for the caller to remove after the commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.datasets import contents, lookup
from app.datasets.lookup import DatasetStatus
from app.db.tables import DatasetRow, now
from app.errors import InvalidState, Problem, WrongOffset
from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from app.spec.data.upload_formats import format_decision
from app.storage.protocol import PartRecord


@dataclass(frozen=True, slots=True)
class DatasetContent:
    """Described content in the artifact store."""

    schema: DataSchema
    preview: Sequence[Any]
    format: str
    path: str
    size: int  # bytes
    sha256: str


def find_for_upload(session: Session, owner: str, dataset_id: str) -> DatasetRow:
    """Return a data set that content may be sent to, locked.

    Raises `NotFound`, and `InvalidState` for a data set that has its content, or never has content of its own.
    """
    row = lookup.find(session, owner, dataset_id, locked=True)
    contents.check_uploaded(row)
    if row.status == DatasetStatus.READY:
        raise InvalidState("the data set has its content and never changes", hint="register another one")
    return row


def append_part(session: Session, owner: str, dataset_id: str, offset: int, part: PartRecord) -> DatasetRow:
    """Append a part {path, size, total}. Raises `WrongOffset` unless `offset` is the end of the last one.

    Raises `InvalidState` if the whole is to have another size than the parts before say.
    """
    row = find_for_upload(session, owner, dataset_id)
    check_total(row, part.get("total"))
    if row.size != offset:
        raise WrongOffset(row.size)
    row.parts = [*row.parts, dict(part)]
    row.size += part["size"]
    row.touched_at = now()
    row.status, row.problems = DatasetStatus.AWAITING_CONTENT, None
    session.flush()
    session.refresh(row)
    return row


def check_total(row: DatasetRow, total: int | None) -> None:
    """Raise `InvalidState` unless the whole is to have the size that the parts before say."""
    before = next((part["total"] for part in row.parts if "total" in part), total)
    if before != total:
        detail = f"the content has {before:,} bytes by its first piece, and {total:,} by this one"
        raise InvalidState(detail, hint="go on with the same content, or send all of it without Content-Range")


def reuse_content(session: Session, owner: str, dataset_id: str, sha256: str) -> tuple[DatasetRow, list[str]] | None:
    """Make the data set ready if the same content has been read before; else change nothing. Returns as `accept`."""
    row = find_for_upload(session, owner, dataset_id)
    if not contents.copy_description(session, row, UploadSource.model_validate(row.source), sha256):
        return None
    superfluous = [part["path"] for part in row.parts]
    row.status, row.parts, row.problems = DatasetStatus.READY, [], None
    session.flush()
    return row, superfluous


def accept(session: Session, owner: str, dataset_id: str, content: DatasetContent) -> tuple[DatasetRow, list[str]]:
    """Make the data set ready; returns it, and the keys of files that are superfluous after the commit.

    Where the owner has the same content already, this data set shares it.
    """
    row = find_for_upload(session, owner, dataset_id)
    superfluous = [part["path"] for part in row.parts]
    row.status, row.parts, row.problems = DatasetStatus.READY, [], None
    source = UploadSource.model_validate(row.source)
    decided_by = format_decision(source.format, source.file, content.format)
    row.source = row.source | {"format": content.format, "decided_by": decided_by}
    row.data_schema, row.preview = content.schema.model_dump(mode="json"), list(content.preview)
    row.size, row.sha256 = content.size, content.sha256
    row.path = contents.share(session, owner, content.sha256, content.path)
    if row.path != content.path:
        superfluous.append(content.path)
    session.flush()
    return row, superfluous


def reject(session: Session, owner: str, dataset_id: str, problems: Sequence[Problem]) -> list[str]:
    """Record the problems of the content and drop it; return the keys of its parts."""
    row = find_for_upload(session, owner, dataset_id)
    superfluous = [part["path"] for part in row.parts]
    row.status, row.parts, row.size = DatasetStatus.INVALID, [], 0
    row.problems = [problem.as_dict() for problem in problems]
    session.flush()
    return superfluous


def delete_abandoned(session: Session, seconds: float, limit: int) -> list[str] | None:
    """Delete up to `limit` data sets that received no content for `seconds`; return the keys of their parts.

    `None` if there was none.
    """
    silent = func.coalesce(DatasetRow.touched_at, DatasetRow.created_at) < now() - seconds
    old = select(DatasetRow).where(DatasetRow.status == DatasetStatus.AWAITING_CONTENT, silent).limit(limit)
    rows = session.scalars(old.with_for_update(skip_locked=True)).all()
    for row in rows:
        session.delete(row)
    return [part["path"] for row in rows for part in row.parts] if rows else None
