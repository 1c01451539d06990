"""Webhooks of an owner: create, find, rotate, enable, delete."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db.sealing import Sealer, SecretSealed
from app.db.tables import WebhookRow, now
from app.errors import InvalidState, NotFound, Problem
from app.ids import new_id
from app.webhooks.messages import MessageType
from app.webhooks.signature import new_secret

MAX_WEBHOOKS = 100  # webhooks of an owner
ROTATION_OVERLAP_SECONDS = 86_400  # for which messages are signed under the secret before, too


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """The settings of a new webhook, its URL checked."""

    name: str
    url: str
    events: Sequence[MessageType]
    all_jobs: bool


def create(session: Session, owner: str, config: WebhookConfig, sealer: Sealer) -> tuple[WebhookRow, str]:
    """Create a webhook, and return it with its secret. Raises `InvalidState` where the owner has too many."""
    if (session.scalar(select(func.count()).where(WebhookRow.owner == owner)) or 0) >= MAX_WEBHOOKS:
        raise InvalidState(f"there are {MAX_WEBHOOKS} webhooks already", hint="delete one that is not needed")
    events = [type_ for type_ in MessageType if type_ in config.events]
    secret = new_secret()
    row = WebhookRow(
        id=new_id("whk"),
        owner=owner,
        name=config.name,
        url=config.url,
        events=events,
        all_jobs=config.all_jobs,
        secret=sealer.seal(secret),
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return row, secret


def list_webhooks(session: Session, owner: str) -> list[WebhookRow]:
    """Return the owner's webhooks, newest first."""
    return list(session.scalars(select(WebhookRow).where(WebhookRow.owner == owner).order_by(WebhookRow.id.desc())))


def find(session: Session, owner: str, webhook_id: str, *, locked: bool = False) -> WebhookRow:
    """Return the owner's webhook, to be changed where it is `locked`; raises `NotFound` for any other."""
    query = select(WebhookRow).where(WebhookRow.id == webhook_id, WebhookRow.owner == owner)
    row = session.scalar(query.with_for_update(key_share=True) if locked else query)
    if row is None:
        raise NotFound(f"there is no webhook {webhook_id}")
    return row


def find_enabled(session: Session, owner: str, webhook_id: str) -> WebhookRow:
    """Return the owner's webhook; raises `NotFound`, and `InvalidState` for one that is disabled."""
    row = find(session, owner, webhook_id, locked=True)
    if row.disabled_at is not None:
        raise InvalidState(f"the webhook is disabled: {row.disabled_reason}", hint="enable it first")
    return row


def webhook_problems(session: Session, owner: str, webhook_id: str | None) -> list[Problem]:
    """Return the problem of a job that names a webhook which its owner does not have."""
    try:
        if webhook_id is not None:
            find(session, owner, webhook_id)
    except NotFound as error:
        return [Problem("/webhook", "unknown_webhook", error.detail, "leave it out, or create one")]
    return []


def rotate(session: Session, owner: str, webhook_id: str, sealer: Sealer) -> tuple[WebhookRow, str]:
    """Return a webhook with a new secret; for a day messages are signed with the old one too. Raises `NotFound`."""
    row = find(session, owner, webhook_id, locked=True)
    secret = new_secret()
    row.old_secret, row.secret = row.secret, sealer.seal(secret)
    row.old_until = now() + ROTATION_OVERLAP_SECONDS  # the database's clock, read back below
    session.flush()
    session.refresh(row)
    return row, secret


def reseal(session: Session, sealer: Sealer) -> tuple[int, list[str]]:
    """Seal every secret with the first key; return how many were not, and the webhooks whose secret does not open.

    Old secrets that sign no longer are removed.
    """
    expired = update(WebhookRow).where(WebhookRow.old_until < now()).values(old_secret=None, old_until=None)
    session.execute(expired.execution_options(synchronize_session=False))
    changed, lost = 0, []
    for row in session.scalars(select(WebhookRow).order_by(WebhookRow.id).with_for_update(key_share=True)):
        try:
            old = row.old_secret and sealer.reseal(row.old_secret)
            secret = sealer.reseal(row.secret)
        except SecretSealed:
            lost.append(row.id)
            continue
        changed += (secret, old) != (row.secret, row.old_secret)
        row.secret, row.old_secret = secret, old
    session.flush()
    return changed, lost


def enable(session: Session, owner: str, webhook_id: str) -> WebhookRow:
    """Enable a webhook; pending messages are sent. No error if it is enabled already. Raises `NotFound`."""
    row = find(session, owner, webhook_id, locked=True)
    row.disabled_at = row.disabled_reason = row.failing_since = None
    session.flush()
    return row


def delete(session: Session, owner: str, webhook_id: str) -> None:
    """Delete a webhook and every message to it. Raises `NotFound`."""
    session.delete(find(session, owner, webhook_id))
    session.flush()
