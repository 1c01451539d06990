"""Tables of webhooks and their messages."""

from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, now


class WebhookRow(Base):
    """A receiver of messages about an owner's jobs. Its secrets are sealed, see `app.db.sealing`."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # whk_…
    owner: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str]
    url: Mapped[str]
    events: Mapped[list[Any]]  # of app.webhooks.messages.MessageType
    all_jobs: Mapped[bool]  # or only those that name it
    secret: Mapped[str]  # whsec_…, sealed
    old_secret: Mapped[str | None]  # the one before, under which messages are signed too
    old_until: Mapped[float | None]
    failing_since: Mapped[float | None]  # no message has arrived since
    disabled_at: Mapped[float | None]
    disabled_reason: Mapped[str | None]
    created_at: Mapped[float] = mapped_column(default=now())


class DeliveryRow(Base):
    """A message to one webhook, written in the transaction of its event. Its id is the same at every attempt."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_due", "status", "next_at"),
        Index("ix_webhook_deliveries_webhook_id", "webhook_id", "id"),
        Index("ix_webhook_deliveries_status", "webhook_id", "status", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # msg_…
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    job_id: Mapped[str | None] = mapped_column(String(40))  # which may be gone
    type: Mapped[str] = mapped_column(String(32))
    body: Mapped[str]  # as it is signed
    status: Mapped[str] = mapped_column(String(16), default="pending")  # see app.webhooks.deliveries.DeliveryStatus
    tries: Mapped[int] = mapped_column(Integer, default=0)  # of this round; a resend begins another
    claim: Mapped[int] = mapped_column(default=0)  # grows with every attempt: only the last one may record its end
    next_at: Mapped[float] = mapped_column(default=now())
    lease_until: Mapped[float | None]  # while an attempt is under way
    attempts: Mapped[list[Any]]  # the last ones: [{at, seconds, status, error, detail}]
    created_at: Mapped[float] = mapped_column(default=now())
    ended_at: Mapped[float | None]
