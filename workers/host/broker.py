"""The worker's connection to its broker, through which only wake-ups come: whatever else lies there is dropped.

Celery and kombu trust what they receive: bytes that are no message end the consumer, and an odd header stays in its
count of messages under way. A wake-up carries nothing, so here a message either is one, or it is nothing.
"""

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from kombu import Connection
from kombu.transport import redis as transport

from app.jobs.dispatch import WORK_TASK

_EMPTY_BODY = "W1tdLCB7fSwge31d"  # [[], {}, {}]: no arguments, in base64
# What kombu raises for bytes that are not UTF-8, not JSON, too deep, or JSON with its own marks of types.
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)

_log = structlog.get_logger(__name__)


class WakeUpChannel(transport.Channel):
    """A channel that reads wake-ups, and drops other messages with a line in the log."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except _UNREADABLE as error:  # Redis holds the message no more
            _log.warning("message_dropped", reason=type(error).__name__)
            return True


class WakeUpTransport(transport.Transport):
    """A transport that delivers wake-ups, each made anew: of a message only its task and its expiry are read."""

    Channel = WakeUpChannel

    def _deliver(self, message: Any, queue: str) -> None:
        reason = _reject_reason(message)
        if reason is None:
            super()._deliver(_wake_up(queue), queue)  # type: ignore[no-untyped-call]
        elif reason != "expired":
            _log.warning("message_dropped", queue=queue, reason=reason)


class WakeUpConnection(Connection):
    """A connection to a broker, to Redis or Valkey by way of `WakeUpTransport`."""

    def get_transport_cls(self) -> type:
        """Return the class of the transport."""
        found: type = super().get_transport_cls()  # type: ignore[no-untyped-call]
        return WakeUpTransport if found is transport.Transport else found


def _reject_reason(message: Any) -> str | None:
    """Return why a message is not delivered; `None` if it is a wake-up."""
    headers = message.get("headers") if isinstance(message, dict) else None
    if not isinstance(headers, dict):
        return "malformed"
    if headers.get("task") != WORK_TASK:
        return "unknown_task"
    with suppress(ValueError, TypeError, OverflowError):
        expires = headers.get("expires")
        at = datetime.fromisoformat(expires) if expires is not None else datetime.max
        return "expired" if at.replace(tzinfo=at.tzinfo or UTC) < datetime.now(UTC) else None
    return "malformed"


def _wake_up(queue: str) -> dict[str, Any]:
    """Return a message that calls the task without arguments."""
    number = str(uuid.uuid4())
    return {
        "body": _EMPTY_BODY,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": WORK_TASK, "id": number, "root_id": number, "retries": 0},
        "properties": {
            "correlation_id": number,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "delivery_mode": 1,
            "delivery_tag": number,
            "body_encoding": "base64",
            "priority": 0,
        },
    }
