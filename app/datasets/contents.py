"""Content of data sets: stored once for every owner, however many data sets have it.

Every file has a key of its own that is never used again, so that a file may be removed after the commit that let go of
it: nobody can have come to need it in between. Who takes content, or lets go of it, holds the row's lock.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.dialect import insert
from app.db.tables import ContentRow, DatasetRow
from app.errors import ServiceOverloaded

_MAX_ATTEMPTS = 5  # against a data set that lets go of the same content at the same time


def find(session: Session, owner: str, sha256: str) -> ContentRow | None:
    """Return the owner's content, locked: until the transaction ends it stays."""
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
    """Let go of content, after the data set that had it is gone; returns the key of the file if it was the last one."""
    row = find(session, owner, sha256)
    if session.scalar(select(DatasetRow.id).where(DatasetRow.owner == owner, DatasetRow.path == path).limit(1)):
        return []
    if row is not None and row.path == path:
        session.delete(row)
    return [path]
