"""Tables of the processes of a deployment: workers, the shared clock of SQLite, and what was deployed."""

from typing import Any

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, now


class ClockRow(Base):
    """SQLite's clock, one row: what to add to the uptime since this start of the machine. PostgreSQL needs none."""

    __tablename__ = "clock"

    boot_id: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the kernel
    offset: Mapped[float]


class DeploymentRow(Base):
    """The one row that names this database, so that its artifact store is not taken for another one's."""

    __tablename__ = "deployment"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)


class WorkerRow(Base):
    """The last heartbeat of a worker: for estimates and metrics; leases alone decide who owns a job."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    queues: Mapped[list[Any]]
    slots: Mapped[int] = mapped_column(Integer)
    seen_at: Mapped[float] = mapped_column(default=now())
    version: Mapped[str | None]  # this and what follows is empty where an older version does not report it
    free: Mapped[int | None] = mapped_column(Integer)
    deaf_seconds: Mapped[float | None]  # for how long it has not heard wake-ups that it sent to itself
    figures: Mapped[dict[str, Any] | None]  # counts since its start, see workers.host.heartbeat
    started_at: Mapped[float | None]
    stopped_at: Mapped[float | None]  # of one that stopped in order
