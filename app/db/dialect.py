"""What differs between the databases: SQL of some statements, and codes of errors."""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from app.errors import DatabaseUnavailable

RETRYABLE_SQLSTATES = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
READ_ONLY = "25006"  # read_only_sql_transaction
LOCK_TIMEOUT = "55P03"  # lock_not_available
DISK_FULL = "53100"  # disk_full


class DatabaseFull(DatabaseUnavailable):
    """The disk of the database is full; nothing new can be stored until there is room."""

    code = "database_full"


# Inserts with ``on_conflict_do_nothing`` and ``on_conflict_do_update``, alike on both databases.
INSERTS: Mapping[str, Callable[[Any], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert(session: Session, table: type[DeclarativeBase]) -> Any:
    """Return an insert into a table, one of `INSERTS`."""
    return INSERTS[dialect_name(session)](table)


def dialect_name(session: Session) -> str:
    """Return the name of the session's database, a key of `INSERTS`."""
    return session.get_bind().dialect.name


def is_postgresql(session: Session) -> bool:
    """Return whether the session's database is PostgreSQL."""
    return dialect_name(session) == "postgresql"


def advisory_lock(session: Session, number: int) -> None:
    """Take the lock of a number until the transaction ends. SQLite has one writer anyway."""
    if is_postgresql(session):
        session.execute(select(func.pg_advisory_xact_lock(number)))


def sqlstate(error: DBAPIError) -> str | None:
    """Return the SQLSTATE of an error of PostgreSQL; `None` for SQLite, which has none."""
    return getattr(error.orig, "sqlstate", None)


def is_lock_timeout(error: DBAPIError) -> bool:
    """Return whether another transaction held a lock for longer than `lock_timeout`."""
    return sqlstate(error) == LOCK_TIMEOUT


def is_database_full(error: DBAPIError) -> bool:
    """Return whether the database says that its disk is full. SQLite may report any error of input and output then."""
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return sqlstate(error) == DISK_FULL
