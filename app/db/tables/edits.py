"""Table of the edits of jobs: the log by which a job can be trained again."""

from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, now, partial_index


class EditRow(Base):
    """An edit of a job, numbered without gaps: what changes its document at a step, or puts an earlier one back."""

    __tablename__ = "edits"
    __table_args__ = (partial_index("ix_edits_revision", "revision IS NOT NULL", "job_id", "revision"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(String(16))  # see app.edits.states.EditState
    origin: Mapped[str] = mapped_column(String(16))  # see app.edits.states.EditOrigin
    expect_revision: Mapped[int | None] = mapped_column(Integer)
    at: Mapped[Any] = mapped_column(JSON)  # "now", or a moment as it was sent
    operations: Mapped[list[Any]]
    comment: Mapped[str] = mapped_column(default="", server_default=text("''"))
    key_id: Mapped[str] = mapped_column(String(40), default="", server_default=text("''"))
    step: Mapped[int | None]  # before which it was applied; of a rollback, that of its checkpoint
    revision: Mapped[int | None] = mapped_column(Integer)  # that it made
    parent: Mapped[int | None] = mapped_column(Integer)  # the revision that it changed, or went back to
    document: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # the whole spec of that revision
    inspection: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # of that spec
    choices: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # by the place of an operation
    problems: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))  # why it was rejected
    rule: Mapped[int | None] = mapped_column(Integer)  # of the job's plan, that made it, and …
    firing: Mapped[int | None] = mapped_column(Integer)  # … which time of that rule, from 1
    withdraw_requested: Mapped[bool] = mapped_column(default=False, server_default=false())  # an attempt must agree
    base: Mapped[str | None] = mapped_column(String(40))  # the checkpoint to which a rollback goes back
    created_at: Mapped[float] = mapped_column(default=now())
    ended_at: Mapped[float | None]
