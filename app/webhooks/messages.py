"""The messages of webhooks: a closed list of types, and their bodies."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import orjson

from app.spec.timestamps import format_rfc3339


class MessageType(StrEnum):
    """The types of messages about jobs."""

    CREATED = "job.created"
    """The job was accepted."""
    QUEUED = "job.queued"
    """The job waits again: it was resumed, retried, handed back, or its attempt was lost."""
    RUNNING = "job.running"
    """A worker has claimed the job."""
    PAUSED = "job.paused"
    """The job stands at a checkpoint until it is resumed."""
    SUCCEEDED = "job.succeeded"
    """The job has trained to its end."""
    FAILED = "job.failed"
    """The job has ended with an error: `data.error`."""
    CANCELLED = "job.cancelled"
    """The job has been cancelled."""
    CHECKPOINT = "job.checkpoint"
    """A checkpoint is listed: `data.checkpoint` has its id and step."""


TERMINAL_TYPES = (MessageType.SUCCEEDED, MessageType.FAILED, MessageType.CANCELLED)
PING = "webhook.ping"  # sent on request, to any webhook

_TYPE_BY_EVENT_KIND = {"created": MessageType.CREATED, "checkpoint": MessageType.CHECKPOINT}
_TYPE_BY_STATUS = {
    type_.removeprefix("job."): type_ for type_ in MessageType if type_ not in _TYPE_BY_EVENT_KIND.values()
}


def message_type(kind: str, data: Mapping[str, Any]) -> MessageType | None:
    """Return the type of the message about a job's event; `None` for events without a message."""
    return _TYPE_BY_STATUS.get(data.get("to", "")) if kind == "status" else _TYPE_BY_EVENT_KIND.get(kind)


def job_message_body(type_: MessageType, at: float, job: Mapping[str, Any], seq: int, data: Mapping[str, Any]) -> str:
    """Return the body of a message about a job's event: small, as the receiver can request the rest."""
    content: dict[str, Any] = {"job": dict(job), "event": seq}
    if type_ is MessageType.CHECKPOINT:
        content["checkpoint"] = {"id": data["id"], "step": data["step"]}
    if "error" in data:  # of a lost attempt as well
        content["error"] = {name: data["error"].get(name) for name in ("code", "message", "pointer", "retryable")}
    return message_body(type_, at, content)


def message_body(type_: str, at: float, data: Mapping[str, Any]) -> str:
    """Return a message as it is signed and sent."""
    return orjson.dumps({"type": type_, "timestamp": format_rfc3339(at), "data": dict(data)}).decode()
