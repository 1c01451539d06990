"""What passes through the pipe between a supervisor and its runner: JSON, never pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class SeriesPoints:
    """Points of one series, oldest first; equal lengths."""

    step: list[int]
    value: list[float]  # NaN and infinities are values like any other
    time: list[float]  # Unix seconds
    elapsed: list[float]  # seconds of training, without the time between attempts


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """What the loop tells: where it is, new points, and remarkable things."""

    phase: str | None = None
    progress: Mapping[str, Any] | None = None  # step, epoch, total_steps, steps_per_epoch, rate, latest
    series: Mapping[str, SeriesPoints] = field(default_factory=dict)
    events: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # (kind, data)


@dataclass(frozen=True, slots=True)
class SavedFile:
    """One file of a checkpoint in the artifact store."""

    name: str  # weights.safetensors, weights.pth, model.py, state.safetensors, state.json
    path: str  # key in the store
    size: int
    sha256: str
    public: bool  # whether users may download it


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A checkpoint whose files are durable; it exists once the supervisor has committed its row."""

    id: str
    step: int
    epoch: float
    values: Mapping[str, float]
    files: tuple[SavedFile, ...]
    final: bool = False
    seconds: float = 0.0  # that it took


class Ending(StrEnum):
    """Every way an attempt can end."""

    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    RELEASED = "released"  # told to stop, at a checkpoint
    FAILED = "failed"  # the job's own fault: not retried
    LOST = "lost"  # the machine's fault: retried


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; recorded in one place, the supervisor."""

    ending: Ending
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None  # code, message, pointer, retryable


CommandVerb = Literal["cancel", "pause", "drain"]


@dataclass(frozen=True, slots=True)
class Command:
    """What the supervisor asks of the runner."""

    verb: CommandVerb


Message = ProgressReport | SavedCheckpoint | Outcome | Command
_MESSAGE_TYPES: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (ProgressReport, SavedCheckpoint, Outcome, Command)
}


def send(pipe: Connection, message: Message) -> None:
    """Send one message."""
    body = {"type": type(message).__name__, **_field_values(message)}
    pipe.send_bytes(json.dumps(body, default=_field_values).encode())


def _field_values(message: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name; `asdict` would copy thousands of points one by one."""
    return {each.name: getattr(message, each.name) for each in fields(message)}


def receive(pipe: Connection) -> Message:
    """Receive one message; raises `EOFError` when the other side is gone."""
    body = json.loads(pipe.recv_bytes())
    kind = body.pop("type")
    if kind == "ProgressReport":
        body["series"] = {name: SeriesPoints(**block) for name, block in body["series"].items()}
        body["events"] = tuple((name, data) for name, data in body["events"])
    if kind == "SavedCheckpoint":
        body["files"] = tuple(SavedFile(**file) for file in body["files"])
    if kind == "Outcome":
        body["ending"] = Ending(body["ending"])
    return _MESSAGE_TYPES[kind](**body)
