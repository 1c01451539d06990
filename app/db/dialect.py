"""The one statement whose SQL differs between the databases: an insert that minds conflicts."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session


def insert(session: Session, table: type[DeclarativeBase]) -> Any:
    """Return an insert with ``on_conflict_do_nothing`` and ``on_conflict_do_update``, alike on both databases."""
    build = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    return build[session.get_bind().dialect.name](table)
