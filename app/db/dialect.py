"""The statements whose SQL differs between the databases."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session


def insert(session: Session, table: type[DeclarativeBase]) -> Any:
    """Return an insert with ``on_conflict_do_nothing`` and ``on_conflict_do_update``, alike on both databases."""
    build = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    return build[session.get_bind().dialect.name](table)


def advisory_lock(session: Session, number: int) -> None:
    """Wait until every other transaction that asked with this number has ended. SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(number)))
