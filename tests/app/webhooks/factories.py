"""Webhooks, and messages to them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from app.db.sealing import Sealer
from app.db.session import Database
from app.db.tables import DeliveryRow, WebhookRow, now
from app.webhooks import repository
from app.webhooks.messages import TERMINAL_TYPES, MessageType
from app.webhooks.repository import WebhookConfig

SEALER = Sealer(["k" * 32])  # of webhooks that tests make themselves
URL = "https://example.com/hook"


def create_webhook(
    db: Database,
    owner: str = "anna",
    events: Sequence[MessageType] = TERMINAL_TYPES,
    url: str = URL,
    all_jobs: bool = True,
) -> str:
    return db.run(repository.create, owner, WebhookConfig("x", url, events, all_jobs), SEALER)[0].id


def list_messages(db: Database, webhook_id: str) -> list[DeliveryRow]:
    """Return the messages to a webhook, oldest first."""
    query = select(DeliveryRow).where(DeliveryRow.webhook_id == webhook_id).order_by(DeliveryRow.id)
    return db.read(lambda session: list(session.scalars(query)))


def get_webhook(db: Database, webhook_id: str) -> WebhookRow:
    found = db.read(lambda session: session.get(WebhookRow, webhook_id))
    assert found is not None
    return found


def update_row(db: Database, table: Any, id_: str, **values: Any) -> None:
    """Change a row, as time would."""
    db.run(lambda session: session.execute(update(table).where(table.id == id_).values(**values)))


def make_due(db: Database, message_id: str) -> None:
    update_row(db, DeliveryRow, message_id, next_at=now() - 1)


def expire_lease(db: Database, message_id: str) -> None:
    update_row(db, DeliveryRow, message_id, lease_until=now() - 1)
