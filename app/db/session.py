"""The one place that opens, commits and rolls back. Repositories never commit."""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import orjson
from sqlalchemy import Engine, Executable, Row, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from app.db.dialect import READ_ONLY, RETRYABLE_SQLSTATES, DatabaseFull, is_database_full, is_lock_timeout, sqlstate
from app.db.uptime import register_functions
from app.errors import DatabaseUnavailable, ServiceOverloaded

P = ParamSpec("P")
R = TypeVar("R")

_MAX_ATTEMPTS = 5
FULL_SECONDS = 10.0  # for which a write that found no room counts
MIN_FREE_BYTES = 1 << 16
_IDLE_TIMEOUT_SECONDS = 10  # within a transaction: a process that stopped there would keep its locks for ever


class Database:
    """A database, and units of work on it.

    A unit is a function whose first argument is a session. It may run more than once (after a serialisation
    failure), so it has no effect outside the database. Raises `DatabaseUnavailable` if the database does not answer,
    `DatabaseFull` if its disk is full, and `ServiceOverloaded` if every connection is in use, or a row stays locked for
    longer than `lock_seconds`.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        busy_seconds: float = 10.0,
        lock_seconds: float = 5.0,
        connect_seconds: int = 2,
    ) -> None:
        self.url = make_url(url)
        self._full_at = float("-inf")
        if self.is_sqlite:
            self.engine = _sqlite(url, busy_seconds)
        else:
            self.engine = _postgresql(url, pool_size, lock_seconds, connect_seconds)
        self._reader = self.engine.execution_options(read_only=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def begin(self, read_only: bool = False) -> Iterator[Session]:
        """Open a session in a transaction; commit at the end, roll back on any exception."""
        engine = self._reader if read_only else self.engine
        with self._domain_errors(), Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def _domain_errors(self) -> Iterator[None]:
        """Raise the database's errors as those of the domain, where they are no fault of a statement."""
        try:
            yield
        except NoConnection as error:  # every connection is in use, and stayed so for a while
            raise ServiceOverloaded("too many requests are using the database") from error
        except DBAPIError as error:
            if is_database_full(error) or (self.is_sqlite and _is_unavailable(error) and not self._has_room()):
                self._full_at = time.monotonic()
                raise DatabaseFull(hint="make room on the database's disk; whatever waits then goes on") from error
            if is_lock_timeout(error):
                raise ServiceOverloaded("another request holds a lock on the same row for too long") from error
            if _is_unavailable(error):
                raise DatabaseUnavailable from error
            raise

    def run(self, unit: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run one unit of work in its own transaction, repeating it after serialisation failures."""
        for attempt in range(_MAX_ATTEMPTS):
            try:
                with self.begin() as session:
                    return unit(session, *args, **kwargs)
            except DBAPIError as error:
                if not _is_serialization_failure(error):
                    raise
                if attempt == _MAX_ATTEMPTS - 1:
                    raise ServiceOverloaded("too many requests are changing the same thing") from error
                time.sleep(random.uniform(0, 0.01 * 2**attempt))
        raise AssertionError("unreachable")

    def read(self, unit: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a unit that only reads: on SQLite it neither waits for a writer nor keeps one waiting."""
        with self.begin(read_only=True) as session:
            return unit(session, *args, **kwargs)

    def first(self, statement: Executable, **parameters: object) -> Row[Any] | None:
        """Return the first row of one statement that only reads: without a session, for a third of the cost."""
        with self._domain_errors(), self._reader.connect() as connection:
            return connection.execute(statement, parameters).first()

    def check_room(self) -> None:
        """Raise `DatabaseFull` if a write found no room a short while ago, or SQLite's disk has none.

        Small writes may succeed all the same: into pages that are half empty.
        """
        if time.monotonic() < self._full_at + FULL_SECONDS or not self._has_room():
            raise DatabaseFull

    def _has_room(self) -> bool:
        """Return whether the disk of SQLite's file has room; that of a server is not known."""
        if not self.is_sqlite or not self.url.database:
            return True
        try:
            return shutil.disk_usage(Path(self.url.database).absolute().parent).free >= MIN_FREE_BYTES
        except OSError:
            return True

    def close(self) -> None:
        """Close every pooled connection, and one that is in use when it is returned."""
        event.listen(self.engine, "checkin", _close_returned)
        self.engine.dispose()


def _close_returned(connection: object, record: ConnectionPoolEntry) -> None:
    """Close a connection that a thread has used beyond the end of its engine, whose pool would keep it open."""
    record.invalidate()


def _dump_json(value: object) -> str:
    """NaN and infinities become null: PostgreSQL's JSON has no such numbers."""
    return orjson.dumps(value).decode()


def _is_unavailable(error: DBAPIError) -> bool:
    """Return whether the server does not answer, or is read-only, as during a failover."""
    if _is_serialization_failure(error):
        return False
    kinds = (OperationalError, InterfaceError)
    return isinstance(error, kinds) or error.connection_invalidated or sqlstate(error) == READ_ONLY


def _is_serialization_failure(error: DBAPIError) -> bool:
    return sqlstate(error) in RETRYABLE_SQLSTATES


def _sqlite(url: str, busy_seconds: float) -> Engine:
    engine = create_engine(
        url, json_serializer=_dump_json, connect_args={"timeout": busy_seconds, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        register_functions(connection)
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        # A transaction that reads first and writes later would fail with SQLITE_BUSY_SNAPSHOT, whatever the timeout.
        reads = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: str, pool_size: int, lock_seconds: float, connect_seconds: int) -> Engine:
    limits = {
        "statement_timeout": 15_000,
        "lock_timeout": round(1000 * lock_seconds),
        "idle_in_transaction_session_timeout": 1000 * _IDLE_TIMEOUT_SECONDS,
    }  # milliseconds
    options = " ".join(f"-c {name}={limit}" for name, limit in limits.items())
    return create_engine(
        url,
        json_serializer=_dump_json,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=2,
        pool_pre_ping=True,
        connect_args={"connect_timeout": connect_seconds, "options": options},
    )
