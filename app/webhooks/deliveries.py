"""Deliveries: claimed under a lease, retried with growing delays, kept for a while as a log."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.db.clock import database_time
from app.db.paging import IndexedRows, paginate
from app.db.tables import DeliveryRow, WebhookRow, now
from app.errors import NotFound

RETRY_DELAYS = (
    5,
    30,
    300,
    1800,
    7200,
    18_000,
    36_000,
    50_400,
    72_000,
    86_400,
)  # seconds before the next try: three days
MAX_RETRY_AFTER_SECONDS = 86_400.0  # seconds of a Retry-After that are obeyed
MAX_DELAY_SECONDS = 1.2 * 86_400  # of any retry
MAX_CONCURRENT_ATTEMPTS = 4  # attempts under way to one webhook
LEASE_SECONDS = 60.0  # longer than any attempt takes
DISABLE_AFTER_SECONDS = 3 * 86_400  # without any success, after which a message that is given up disables the webhook
MAX_PENDING_MESSAGES = 10_000  # messages of a failing webhook, beyond which it is disabled
MAX_RECORDED_ATTEMPTS = 20


class DeliveryStatus(StrEnum):
    """The state of a message."""

    PENDING = "pending"
    """It waits for its next attempt."""
    DELIVERED = "delivered"
    """The receiver accepted it."""
    FAILED = "failed"
    """All attempts failed."""


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message to send now."""

    id: str
    webhook_id: str
    claim: int
    at: float  # the database's clock
    url: str
    body: str
    secrets: tuple[str, ...]  # sealed


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The outcome of sending a message."""

    status: int | None  # HTTP; none where no answer came
    seconds: float
    error: str = ""  # a word for programs, empty where it arrived
    detail: str = ""
    retry_after: float = 0.0  # seconds, from the receiver's Retry-After

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver accepted it."""
        return not self.error


def has_due_message(session: Session) -> bool:
    """Return whether a message may be claimed now, or soon: a hint that costs little."""
    ready = select(DeliveryRow.id).join(WebhookRow).where(*_due_conditions(), WebhookRow.disabled_at.is_(None))
    return session.scalar(ready.limit(1)) is not None


def claim(session: Session, *, healthy: bool = False) -> ClaimedMessage | None:
    """Take the message that has waited longest, or return `None`; `healthy`: not of webhooks that are failing.

    No webhook has more than `MAX_CONCURRENT_ATTEMPTS` attempts in progress; failing webhooks come last.
    """
    conditions = [WebhookRow.disabled_at.is_(None)] + ([WebhookRow.failing_since.is_(None)] if healthy else [])
    best = (
        select(WebhookRow)
        .join(DeliveryRow)
        .where(*_due_conditions(), *conditions, _in_flight_count(WebhookRow.id) < MAX_CONCURRENT_ATTEMPTS)
        .order_by(WebhookRow.failing_since.is_not(None), DeliveryRow.next_at, DeliveryRow.id)
        .limit(1)
        .with_for_update(key_share=True, skip_locked=True, of=WebhookRow)
    )
    webhook = session.scalar(best)
    if (
        webhook is None or (session.scalar(select(_in_flight_count(webhook.id))) or 0) >= MAX_CONCURRENT_ATTEMPTS
    ):  # counted again, under lock
        return None
    oldest = select(DeliveryRow).where(DeliveryRow.webhook_id == webhook.id, *_due_conditions())
    oldest = oldest.order_by(DeliveryRow.next_at, DeliveryRow.id).limit(1)
    row = session.scalar(oldest.with_for_update(skip_locked=True))
    if row is None:
        return None
    at = database_time(session)
    row.lease_until, row.claim, row.tries = at + LEASE_SECONDS, row.claim + 1, row.tries + 1
    session.flush()
    old = webhook.old_secret if (webhook.old_until or 0.0) > at else None
    secrets = (webhook.secret, *([old] if old is not None else []))
    return ClaimedMessage(row.id, webhook.id, row.claim, at, webhook.url, row.body, secrets)


def record_result(session: Session, claimed: ClaimedMessage, attempt: DeliveryResult) -> bool:
    """Record the outcome of an attempt; return whether it still counted.

    It does not if the webhook is deleted, or if the lease ran out and another worker has tried since.
    """
    webhook = session.get(WebhookRow, claimed.webhook_id, with_for_update={"key_share": True})
    row = session.get(DeliveryRow, claimed.id, with_for_update=True)
    if webhook is None or row is None or row.claim != claimed.claim or row.lease_until is None:
        return False
    at = database_time(session)
    entry = {
        "at": claimed.at,
        "seconds": round(attempt.seconds, 3),
        "status": attempt.status,
        "error": attempt.error,
        "detail": attempt.detail,
    }
    row.attempts, row.lease_until = [*row.attempts[1 - MAX_RECORDED_ATTEMPTS :], entry], None
    if attempt.is_delivered:
        row.status, row.ended_at, webhook.failing_since = DeliveryStatus.DELIVERED, at, None
    else:
        webhook.failing_since = webhook.failing_since or at
        given_up = attempt.status == 410 or row.tries > len(RETRY_DELAYS)
        if given_up:
            row.status, row.ended_at = DeliveryStatus.FAILED, at
        else:
            pause = RETRY_DELAYS[row.tries - 1] * random.uniform(0.9, 1.2)
            row.next_at = at + max(pause, min(attempt.retry_after, MAX_RETRY_AFTER_SECONDS))
        reason = _disable_reason(session, webhook, attempt, given_up, at)
        if reason:
            webhook.disabled_at, webhook.disabled_reason = at, reason
    session.flush()
    return True


def _disable_reason(session: Session, webhook: WebhookRow, attempt: DeliveryResult, given_up: bool, at: float) -> str:
    """Return why a webhook is to be disabled; empty if it is not."""
    if attempt.status == 410:
        return "the receiver is gone (410)"
    if given_up and at - (webhook.failing_since or at) > DISABLE_AFTER_SECONDS:
        return f"nothing has arrived for {DISABLE_AFTER_SECONDS // 86_400} days"
    waiting = select(func.count()).where(
        DeliveryRow.webhook_id == webhook.id, DeliveryRow.status == DeliveryStatus.PENDING
    )
    return (
        f"more than {MAX_PENDING_MESSAGES} messages wait"
        if (session.scalar(waiting) or 0) > MAX_PENDING_MESSAGES
        else ""
    )


def page(
    session: Session, webhook_id: str, limit: int, after: str | None = None, status: Sequence[str] = ()
) -> tuple[Sequence[DeliveryRow], bool]:
    """Return up to `limit` messages, newest first, older than the message `after`; and whether there are more."""
    webhook = {DeliveryRow.webhook_id: webhook_id}
    parts = [IndexedRows(DeliveryRow.id, webhook | {DeliveryRow.status: each}) for each in status or DeliveryStatus]
    return paginate(session, select(DeliveryRow), DeliveryRow.id, limit, after, parts)


def resend(session: Session, webhook: WebhookRow, message_id: str) -> DeliveryRow:
    """Queue a message again, whatever its status. Raises `NotFound`."""
    query = select(DeliveryRow).where(DeliveryRow.id == message_id, DeliveryRow.webhook_id == webhook.id)
    row = session.scalar(query.with_for_update())
    if row is None:
        raise NotFound(f"there is no message {message_id}")
    row.status, row.tries, row.ended_at = DeliveryStatus.PENDING, 0, None
    row.next_at = now()  # the database's clock, read back below
    session.flush()
    session.refresh(row)
    return row


def purge(session: Session, days: int) -> int:
    """Delete messages older than so many days, pending ones too; return how many."""
    old = delete(DeliveryRow).where(DeliveryRow.created_at < now() - days * 86_400)
    return len(session.scalars(old.returning(DeliveryRow.id)).all())


def _due_conditions() -> tuple[ColumnElement[bool], ...]:
    """Times that no delay reaches are of before the clock was set back, and count as past."""
    due = or_(DeliveryRow.next_at <= now(), DeliveryRow.next_at > now() + MAX_DELAY_SECONDS)
    return DeliveryRow.status == DeliveryStatus.PENDING, due, or_(DeliveryRow.lease_until.is_(None), ~_is_leased())


def _is_leased(row: Any = DeliveryRow) -> ColumnElement[bool]:
    return and_(row.lease_until >= now(), row.lease_until <= now() + LEASE_SECONDS)


def _in_flight_count(webhook_id: Any) -> Any:
    other = aliased(DeliveryRow)
    counted = (
        select(func.count())
        .select_from(other)
        .where(other.webhook_id == webhook_id, other.status == DeliveryStatus.PENDING, _is_leased(other))
    )
    return counted.correlate(WebhookRow).scalar_subquery()
