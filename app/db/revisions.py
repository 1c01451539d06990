"""The revision of a database's tables, and whether this version can use them.

Alembic is not needed for it, and a process that serves does not load it: `app.db.migrate` brings tables to a revision.
"""

import time
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import PurePath

import structlog
from sqlalchemy import String, column, inspect, select, table
from sqlalchemy.exc import OperationalError

from app.db.session import Database
from app.errors import DatabaseUnavailable

RETRY_SECONDS = 2.0
_version = table("alembic_version", column("version_num", String))  # one row; none while nothing was migrated

_log = structlog.get_logger(__name__)


@cache
def revisions() -> tuple[str, ...]:
    """Return this version's revisions by name, the newest last: each is called as its file in `migrations/versions`."""
    names = (PurePath(file.name) for file in files("migrations").joinpath("versions").iterdir())
    return tuple(sorted(name.stem for name in names if name.suffix == ".py"))


def head_revision() -> str:
    """Return the revision that this version needs."""
    return revisions()[-1]


def current_revision(db: Database) -> str | None:
    """Return the database's revision, or `None` if nothing was ever migrated. Raises `DatabaseUnavailable`."""
    try:
        with db.engine.begin() as connection:
            if not inspect(connection).has_table(_version.name):
                return None
            return connection.scalars(select(_version.c.version_num)).one_or_none()
    except OperationalError as error:
        raise DatabaseUnavailable from error


def revision_mismatch(db: Database) -> tuple[str, str] | None:
    """Return (detail, hint) if the revision of the database does not fit this version, else `None`."""
    revision, needed = current_revision(db), head_revision()
    if revision == needed:
        return None
    detail = f"the tables are at {revision or 'base'}, this version needs {needed}"
    if revision is None or revision in revisions():
        return detail, "run: python -m app.db.migrate upgrade"
    return f"{detail}: they are of a newer version", "install that version here"


def is_compatible(url: str, *, patient: bool) -> bool:
    """Return whether this version may use the database; log the reason if it may not.

    `patient`: wait while the database is unavailable; otherwise an unavailable database counts as compatible.
    """
    db = Database(url)
    try:
        mismatch = _wait_for_mismatch(db) if patient else revision_mismatch(db)
    except DatabaseUnavailable:
        return True
    finally:
        db.close()
    if mismatch is not None:
        _log.error("tables_unfit", detail=mismatch[0], hint=mismatch[1])
    return mismatch is None


def _wait_for_mismatch(db: Database) -> tuple[str, str] | None:
    while True:
        with suppress(DatabaseUnavailable):
            return revision_mismatch(db)
        _log.warning("database_away")
        time.sleep(RETRY_SECONDS)
