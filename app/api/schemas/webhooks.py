"""Webhooks, and the messages to them."""

import json
from typing import Literal, Self

from pydantic import Field

from app.api.schemas.base import JsonObject, ResponseModel
from app.db.tables import DeliveryRow, WebhookRow
from app.spec.base import SpecModel
from app.spec.timestamps import format_optional_rfc3339, format_rfc3339
from app.webhooks.deliveries import DeliveryStatus
from app.webhooks.messages import TERMINAL_TYPES, MessageType
from app.webhooks.targets import MAX_URL_LENGTH


class WebhookRequest(SpecModel):
    """A webhook to create."""

    url: str = Field(min_length=1, max_length=MAX_URL_LENGTH, description="Where to: https://host/path.")
    name: str = Field("webhook", min_length=1, max_length=200)
    events: list[MessageType] = Field(
        list(TERMINAL_TYPES), min_length=1, max_length=len(MessageType), description="Events to send."
    )
    jobs: Literal["all", "named"] = Field("all", description="Of all the owner's jobs, or of those that name it.")


class Webhook(ResponseModel):
    """A receiver of messages about jobs."""

    id: str
    name: str
    url: str
    events: list[MessageType]
    jobs: Literal["all", "named"]
    status: Literal["active", "failing", "disabled"] = Field(
        description="failing: the last message did not arrive. disabled: nothing is sent until it is enabled."
    )
    failing_since: str | None
    disabled_at: str | None
    disabled_reason: str | None
    created_at: str

    @classmethod
    def from_row(cls, row: WebhookRow, **fields: str) -> Self:
        """Describe a webhook, without its secret."""
        status = "disabled" if row.disabled_at else "failing" if row.failing_since else "active"
        return cls(
            id=row.id,
            name=row.name,
            url=row.url,
            events=row.events,
            jobs="all" if row.all_jobs else "named",
            status=status,
            failing_since=format_optional_rfc3339(row.failing_since),
            disabled_at=format_optional_rfc3339(row.disabled_at),
            disabled_reason=row.disabled_reason,
            created_at=format_rfc3339(row.created_at),
            **fields,
        )


class NewWebhook(Webhook):
    """A webhook with its secret, which no later response contains."""

    secret: str = Field(description="whsec_…: what the receiver verifies signatures with.")


class WebhookPage(ResponseModel):
    """Webhooks, newest first: all of them."""

    items: list[Webhook]
    has_more: Literal[False] = False


class DeliveryAttempt(ResponseModel):
    """One attempt to deliver a message."""

    at: str
    seconds: float
    status: int | None = Field(description="What the receiver answered with.")
    error: str = Field(description="A word for programs; empty where the message arrived.")
    detail: str


class Delivery(ResponseModel):
    """A message to a webhook."""

    id: str = Field(description="The `webhook-id`, the same at every attempt.")
    webhook_id: str
    job_id: str | None
    type: str
    status: DeliveryStatus
    next_at: str | None = Field(description="When it is tried, while it waits.")
    attempts: list[DeliveryAttempt] = Field(description="The last ones, oldest first.")
    message: JsonObject = Field(description="What is sent.")
    created_at: str
    ended_at: str | None

    @classmethod
    def from_row(cls, row: DeliveryRow) -> Self:
        """Describe a message and its attempts."""
        attempts = [DeliveryAttempt(**each | {"at": format_rfc3339(each["at"])}) for each in row.attempts]
        return cls(
            id=row.id,
            webhook_id=row.webhook_id,
            job_id=row.job_id,
            type=row.type,
            status=DeliveryStatus(row.status),
            attempts=attempts,
            message=json.loads(row.body),
            next_at=format_optional_rfc3339(row.next_at) if row.status == DeliveryStatus.PENDING else None,
            created_at=format_rfc3339(row.created_at),
            ended_at=format_optional_rfc3339(row.ended_at),
        )


class DeliveryPage(ResponseModel):
    """Messages, newest first."""

    items: list[Delivery]
    has_more: bool
