"""Content of data sets: stored once for every owner, however many data sets have it.

Every file has a key of its own that is never used again, so that a file may be removed after the commit that let go of
it: nobody can have come to need it in between. Who takes content, or lets go of it, holds the row's lock.
"""

from re import sub
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.dialect import insert
from app.db.tables import ContentRow, DatasetRow
from app.errors import InvalidState, ServiceOverloaded
from app.spec.data.sources import UploadSource
from app.spec.data.upload_formats import format_by_name, format_decision
from app.storage.protocol import FileRecord

MAX_COMPARED = 100  # data sets with the same content, of which one may have been read in the same way
_MAX_ATTEMPTS = 5  # against a data set that lets go of the same content at the same time


def find(session: Session, owner: str, sha256: str) -> ContentRow | None:
    """Return the owner's content, locked until the transaction ends."""
    row = select(ContentRow).where(ContentRow.owner == owner, ContentRow.sha256 == sha256)
    return session.scalar(row.with_for_update(), execution_options={"populate_existing": True})


def share(session: Session, owner: str, sha256: str, path: str) -> str:
    """Return the key of the owner's content, locked: that of an earlier upload if there is one, else `path`."""
    values = {"owner": owner, "sha256": sha256, "path": path}
    for _ in range(_MAX_ATTEMPTS):
        session.execute(insert(session, ContentRow).values(values).on_conflict_do_nothing())
        row = find(session, owner, sha256)
        if row is not None:
            return row.path
    raise ServiceOverloaded("the same content is being deleted at this moment", hint="try again")


def release(session: Session, owner: str, sha256: str, path: str) -> list[str]:
    """Release the content of a deleted data set; return the key of its file if no other data set has it."""
    row = find(session, owner, sha256)
    if session.scalar(select(DatasetRow.id).where(DatasetRow.owner == owner, DatasetRow.path == path).limit(1)):
        return []
    if row is not None and row.path == path:
        session.delete(row)
    return [path]


def copy_description(session: Session, row: DatasetRow, source: UploadSource, sha256: str | None = None) -> bool:
    """Give a data set the content and the description of another one of the owner that was read in the same way.

    `sha256` is that of the content; by default the one that its source promises. Returns whether there is such a data
    set; otherwise nothing changes.
    """
    digest = sha256 or source.sha256
    content = None if digest is None else find(session, row.owner, digest)
    if content is None:
        return False
    having = select(DatasetRow).where(DatasetRow.owner == row.owner, DatasetRow.path == content.path)
    for other in session.scalars(having.order_by(DatasetRow.id).limit(MAX_COMPARED)):
        theirs = UploadSource.model_validate(other.source)
        if _reads_the_same(source, theirs):
            decided_by = format_decision(source.format, source.file, theirs.format)
            row.source = row.source | {"format": theirs.format, "decided_by": decided_by}
            row.data_schema, row.preview = other.data_schema, other.preview
            row.path, row.size, row.sha256 = other.path, other.size, other.sha256
            return True
    return False


def _reads_the_same(source: UploadSource, theirs: UploadSource) -> bool:
    """Return whether content that was read as `theirs` says means the same as `source` says.

    A format that neither the user nor the name of the file decides follows from the content alone.
    """
    explicit = format_by_name(source.file) if source.format == "auto" else source.format
    same_format = theirs.decided_by == "content" if explicit is None else theirs.format == explicit
    return same_format and _reading_options(source) == _reading_options(theirs)


def _reading_options(source: UploadSource) -> dict[str, Any]:
    """Return what the description of content depends on beside its format."""
    options = source.model_dump(mode="json", exclude={"kind", "format", "file", "sha256", "decided_by"})
    return {name: value for name, value in options.items() if value not in (None, {})}


def check_uploaded(row: DatasetRow) -> None:
    """Raise `InvalidState` unless the data set is one whose content is uploaded."""
    if row.source["kind"] != "upload":
        raise InvalidState(f"a {row.source['kind']} data set has no content of its own")


def content_file(row: DatasetRow) -> FileRecord:
    """Return the file {name, path, size, sha256} of a data set's content. Raises `InvalidState` if it has none."""
    check_uploaded(row)
    if row.path is None or row.sha256 is None:
        raise InvalidState(f"the data set is {row.status}", hint="send its content first")
    name = sub(r"[^A-Za-z0-9._-]+", "_", row.source.get("file") or "").lstrip(".")
    return {
        "name": name or f"{row.id}.{row.source['format']}",
        "path": row.path,
        "size": row.size,
        "sha256": row.sha256,
    }
