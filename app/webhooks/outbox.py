"""Writes messages in the transaction of their event, so that none is lost and none is sent for an event rolled back."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from app.db.clock import database_time
from app.db.tables import DeliveryRow, JobRow, WebhookRow, now, table_of
from app.ids import new_id
from app.webhooks.messages import PING, job_message_body, message_body, message_type

_JOBS, _WEBHOOKS = table_of(JobRow).c, table_of(WebhookRow).c
_LISTENING = (
    select(_WEBHOOKS.id, _WEBHOOKS.events, _JOBS.name, _JOBS.status, _JOBS.labels, now().label("at"))
    .join_from(table_of(WebhookRow), table_of(JobRow), _JOBS.owner == _WEBHOOKS.owner)
    .where(_JOBS.id == bindparam("job_id"), _WEBHOOKS.disabled_at.is_(None))
    .where(or_(_WEBHOOKS.all_jobs, _JOBS.spec["webhook"].as_string() == _WEBHOOKS.id))
    .with_for_update(read=True, key_share=True, of=table_of(WebhookRow))  # none is deleted before this is committed
)


def enqueue_event(session: Session, job_id: str, seq: int, kind: str, data: Mapping[str, Any]) -> None:
    """Write a message about a job's event to every webhook that subscribes to it."""
    type_ = message_type(kind, data)
    if type_ is None:
        return
    for row in session.execute(_LISTENING, {"job_id": job_id}).all():
        if type_ in row.events:
            job = {"id": job_id, "name": row.name, "status": row.status, "metadata": row.labels}
            body = job_message_body(type_, row.at, job, seq, data)
            session.add(_new_delivery(row.id, type_, body, job_id))
    session.flush()


def enqueue_ping(session: Session, webhook: WebhookRow) -> DeliveryRow:
    """Write a test message."""
    at = database_time(session)
    row = _new_delivery(webhook.id, PING, message_body(PING, at, {"webhook": {"id": webhook.id, "name": webhook.name}}))
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def _new_delivery(webhook_id: str, type_: str, body: str, job_id: str | None = None) -> DeliveryRow:
    return DeliveryRow(id=new_id("msg"), webhook_id=webhook_id, job_id=job_id, type=type_, body=body, attempts=[])
