"""Webhooks, and the verification of their messages by a receiver.

>>> message = verify(body, request.headers, secret)  # in the receiver, with the unchanged body
>>> message["type"], message["data"]["job"]["id"]
('job.succeeded', 'job_0199…')
"""

import base64
import builtins
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from graftwerk.errors import NotVerified
from graftwerk.http.pagination import paginate
from graftwerk.http.resources import AsyncResource, BlockingResource, Resource, iterator, operation
from graftwerk.types import Delivery, Webhook

TOLERANCE_SECONDS = 300.0


class WebhooksResource(Resource):
    """The webhooks of the key's owner. Needs the scope `admin`."""

    @operation
    async def create(
        self, url: str, *, name: str | None = None, events: Sequence[str] | None = None, jobs: str = "all"
    ) -> Webhook:
        """Create a webhook. Its `secret` is returned only here. `events` defaults to the ends of jobs.

        `jobs`: "all" jobs of the owner, or only those whose spec has the webhook's id ("named").
        """
        options = {"name": name, "events": None if events is None else list(events)}
        body = {"url": url, "jobs": jobs} | {field: value for field, value in options.items() if value is not None}
        return Webhook.from_document(await self._transport.create("/v1/webhooks", json=body))

    @operation
    async def list(self) -> builtins.list[Webhook]:
        """Return the webhooks, without their secrets."""
        return [Webhook.from_document(item) async for item in paginate(self._transport, "/v1/webhooks")]

    @operation
    async def get(self, webhook_id: str) -> Webhook:
        """Return a webhook, without its secret."""
        return Webhook.from_document(await self._transport.json("GET", f"/v1/webhooks/{webhook_id}"))

    @operation
    async def delete(self, webhook_id: str) -> None:
        """Delete a webhook and its messages, pending ones included."""
        await self._transport.request("DELETE", f"/v1/webhooks/{webhook_id}")

    @operation
    async def rotate(self, webhook_id: str) -> Webhook:
        """Return the webhook with a new `secret`; the previous one also signs for one more day."""
        return Webhook.from_document(await self._transport.create(f"/v1/webhooks/{webhook_id}/rotate"))

    @operation
    async def enable(self, webhook_id: str) -> Webhook:
        """Enable a disabled webhook again."""
        path = f"/v1/webhooks/{webhook_id}/enable"
        return Webhook.from_document(await self._transport.json("POST", path, repeatable=True))

    @operation
    async def ping(self, webhook_id: str) -> Delivery:
        """Send a test message."""
        return Delivery.from_document(await self._transport.create(f"/v1/webhooks/{webhook_id}/ping"))

    @iterator
    async def deliveries(self, webhook_id: str, status: str | None = None) -> AsyncGenerator[Delivery]:
        """Yield the messages to a webhook, newest first; `status`: pending, delivered or failed."""
        pages = paginate(self._transport, f"/v1/webhooks/{webhook_id}/deliveries", {"status": status})
        async for document in pages:
            yield Delivery.from_document(document)

    @operation
    async def resend(self, webhook_id: str, message_id: str) -> Delivery:
        """Send a message again, under the same id."""
        path = f"/v1/webhooks/{webhook_id}/deliveries/{message_id}/resend"
        return Delivery.from_document(await self._transport.create(path))


class Webhooks(WebhooksResource, BlockingResource):
    """The webhooks of a `Client`."""


class AsyncWebhooks(WebhooksResource, AsyncResource):
    """The webhooks of an `AsyncClient`."""


def verify(
    body: bytes | str, headers: Mapping[str, str], secret: str, *, tolerance: float = TOLERANCE_SECONDS
) -> dict[str, Any]:
    """Return a message signed with the secret, at most `tolerance` seconds ago.

    `body` is the request's body, byte for byte. A message may be delivered more than once: remember its `webhook-id`.
    Signatures are compared in constant time (`hmac.compare_digest`). Raises `NotVerified`.
    """
    values = {name.lower(): value for name, value in headers.items()}
    try:
        id_, timestamp, signatures = (values[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
        age = time.time() - int(timestamp)
    except (KeyError, ValueError):
        raise NotVerified("the headers webhook-id, webhook-timestamp and webhook-signature are required") from None
    if abs(age) > tolerance:
        raise NotVerified(
            f"the message was sent {abs(age):.0f} s {'ago' if age > 0 else 'in the future'}; check the clock"
        )
    content = body.encode() if isinstance(body, str) else bytes(body)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = hmac.digest(key, f"{id_}.{timestamp}.".encode() + content, hashlib.sha256)
    if not any(hmac.compare_digest(expected, _decode_signature(each)) for each in signatures.split(" ")):
        raise NotVerified("no signature matches the secret")
    message: dict[str, Any] = json.loads(content)
    return message


def _decode_signature(signature: str) -> bytes:
    version, _, value = signature.partition(",")
    try:
        return base64.b64decode(value, validate=True) if version == "v1" else b""
    except ValueError:
        return b""
