"""Brings the database to a revision: ``python -m app.db.migrate upgrade | downgrade REVISION | current``."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from app.db.session import Database
from app.disk.durability import make_directory
from app.errors import DatabaseUnavailable
from app.settings import PRIVATE_UMASK, get_settings

_LOCK_ID = 0x67726166747731  # any number of our own: one migration at a time
_LOCK_TIMEOUT_SECONDS = 60
RETRY_SECONDS = 2.0

_log = structlog.get_logger(__name__)


def upgrade(db: Database, revision: str = "head") -> None:
    """Upgrade to a revision, in one transaction. Raises `DatabaseUnavailable`, and alembic's `CommandError`."""
    _migrate(db, command.upgrade, revision)


def downgrade(db: Database, revision: str) -> None:
    """Downgrade to a revision such as ``base`` or ``-1``, in one transaction. Data of dropped tables is gone."""
    _migrate(db, command.downgrade, revision)


def current_revision(db: Database) -> str | None:
    """Return the database's revision, or `None` if nothing was ever migrated."""
    try:
        with db.engine.begin() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except OperationalError as error:
        raise DatabaseUnavailable from error


def head_revision() -> str | None:
    """Return the revision that this version needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def revision_mismatch(db: Database) -> tuple[str, str] | None:
    """Return (detail, hint) if the revision of the database does not fit this version, else `None`."""
    revision, needed = current_revision(db), head_revision()
    if revision == needed:
        return None
    detail = f"the tables are at {revision or 'base'}, this version needs {needed}"
    if revision is None or is_known_revision(revision):
        return detail, "run: python -m app.db.migrate upgrade"
    return f"{detail}: they are of a newer version", "install that version here"


def is_known_revision(revision: str) -> bool:
    """Return whether this version has the revision."""
    return revision in {script.revision for script in revisions()}


def revisions() -> list[Script]:
    """Return this version's revisions, newest first."""
    return list(ScriptDirectory.from_config(_config()).walk_revisions())


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


def _config() -> Config:
    config = Config(attributes={})
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    return config


def _migrate(db: Database, step: Callable[[Config, str], None], revision: str) -> None:
    config = _config()
    try:
        with db.engine.begin() as connection:
            _lock(db, connection)
            config.attributes["connection"] = connection
            step(config, revision)
    except OperationalError as error:
        raise DatabaseUnavailable(f"the database does not answer: {error.orig}") from error


def _lock(db: Database, connection: Connection) -> None:
    """Keep other migrations out until the end of the transaction; SQLite's own lock is taken already."""
    if db.is_sqlite:
        return
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_SECONDS}s'"))
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_ID})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m app.db.migrate", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("upgrade", help="create or upgrade the tables").add_argument("revision", nargs="?", default="head")
    verbs.add_parser("downgrade", help="go back; drops data").add_argument("revision", help="base, -1, or an id")
    verbs.add_parser("current", help="print the revision in force")
    options = parser.parse_args(arguments)
    os.umask(PRIVATE_UMASK)
    db = Database(get_settings().resolved_database_url)
    if db.is_sqlite and db.url.database:
        make_directory(Path(db.url.database).parent)
    try:
        if options.verb != "current":
            {"upgrade": upgrade, "downgrade": downgrade}[options.verb](db, options.revision)
        sys.stdout.write(f"{current_revision(db) or 'base'}\n")
    except (CommandError, DatabaseUnavailable) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        db.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
