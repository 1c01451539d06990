"""Tables of who asks: keys, sessions of browsers, responses by `Idempotency-Key`, and the audit log."""

from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, now


class KeyRow(Base):
    """An API key. The secret itself is never stored."""

    __tablename__ = "keys"
    __table_args__ = (Index("ix_keys_owner_id", "owner", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # key_…
    owner: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    scopes: Mapped[list[Any]]
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of the secret, hexadecimal
    old_digest: Mapped[str | None] = mapped_column(String(64))  # of the secret before the last rotation …
    old_until: Mapped[float | None]  # … which opens until then
    limits: Mapped[dict[str, Any] | None]  # what differs from the settings, see app.access.quotas
    created_at: Mapped[float] = mapped_column(default=now())
    expires_at: Mapped[float | None]
    revoked_at: Mapped[float | None]
    last_used_at: Mapped[float | None]  # to about a minute


class SessionRow(Base):
    """A browser that is signed in with a key. The secret in its cookie is never stored."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # ses_…
    key_id: Mapped[str] = mapped_column(String(40), ForeignKey("keys.id", ondelete="CASCADE"))
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of the secret, hexadecimal
    key_digest: Mapped[str] = mapped_column(String(64))  # of the key's secret at sign-in: when it ends, this does
    created_at: Mapped[float] = mapped_column(default=now())
    last_used_at: Mapped[float] = mapped_column(default=now())  # to about a minute
    expires_at: Mapped[float]


class SessionLinkRow(Base):
    """A link that signs a browser in once, with a key."""

    __tablename__ = "session_links"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # lnk_…
    key_id: Mapped[str] = mapped_column(String(40), ForeignKey("keys.id", ondelete="CASCADE"))
    digest: Mapped[str] = mapped_column(String(64))
    key_digest: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[float]


class IdempotencyRow(Base):
    """The response under an Idempotency-Key; written in the transaction of the effect."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_created_at", "created_at"),)

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of method, path and body
    status: Mapped[int] = mapped_column(Integer)
    body: Mapped[dict[str, Any]]
    created_at: Mapped[float] = mapped_column(default=now())


class AuditRow(Base):
    """Who did what to which object; only ever appended, and removed when it is old."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_owner_id", "owner", "id"),
        Index("ix_audit_at", "at"),
        Index("ix_audit_action", "owner", "action", "id"),
        Index("ix_audit_key", "owner", "key_id", "action", "id"),
        Index("ix_audit_target", "owner", "target", "action", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # aud_…
    at: Mapped[float] = mapped_column(default=now())
    owner: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str | None] = mapped_column(String(40))
    request_id: Mapped[str] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))  # see app.access.audit.Action
    target: Mapped[str | None] = mapped_column(String(64))
    data: Mapped[dict[str, Any]]
