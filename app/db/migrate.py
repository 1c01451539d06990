"""Brings the database to a revision: ``python -m app.db.migrate upgrade | downgrade REVISION | current``."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from app.db.revisions import current_revision
from app.db.session import Database
from app.disk.durability import make_directory
from app.errors import DatabaseUnavailable
from app.settings import PRIVATE_UMASK, get_settings

_LOCK_ID = 0x67726166747731  # any number of our own: one migration at a time
_LOCK_TIMEOUT_SECONDS = 60


def upgrade(db: Database, revision: str = "head") -> None:
    """Upgrade to a revision, in one transaction. Raises `DatabaseUnavailable`, and alembic's `CommandError`."""
    _migrate(db, command.upgrade, revision)


def downgrade(db: Database, revision: str) -> None:
    """Downgrade to a revision such as ``base`` or ``-1``, in one transaction. Data of dropped tables is gone."""
    _migrate(db, command.downgrade, revision)


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
