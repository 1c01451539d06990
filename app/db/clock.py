"""The time that all processes agree on."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import now


def database_time(session: Session) -> float:
    """Return the database's time in Unix seconds: what every lease and sign of life is told by."""
    return session.execute(select(now())).scalar_one()
