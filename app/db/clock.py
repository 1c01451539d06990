"""The clock of the database, which all processes share."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import now


def database_time(session: Session) -> float:
    """Return the database's time in Unix seconds: the clock of every lease and heartbeat."""
    return session.execute(select(now())).scalar_one()
