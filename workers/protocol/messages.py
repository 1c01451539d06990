"""Messages between a worker and the processes of an attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import Any, Literal

from workers.protocol.encoding import MessageCodec


@dataclass(frozen=True, slots=True)
class SeriesPoints:
    """Points of one series, oldest first; equal lengths."""

    step: list[int]
    value: list[float]  # NaN and infinities are values like any other
    time: list[float]  # Unix seconds
    elapsed: list[float]  # seconds of training, without the time between attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMessage:
    """A message from an attempt about one job."""

    job_id: str = ""  # set by whoever sends it: an attempt may train several jobs


@dataclass(frozen=True, slots=True)
class ProgressReport(JobMessage):
    """How far the training is, new points of its series, and events."""

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
class SavedCheckpoint(JobMessage):
    """A checkpoint whose files are durable; it exists once the worker has committed its row."""

    id: str
    step: int
    epoch: float
    values: Mapping[str, float]
    files: tuple[SavedFile, ...]
    final: bool = False
    seconds: float = 0.0  # the time to write it


class Ending(StrEnum):
    """Every way an attempt can end."""

    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    RELEASED = "released"  # stopped by its worker, at a checkpoint
    FAILED = "failed"  # the job's own fault: not retried
    LOST = "lost"  # the machine's fault: retried


@dataclass(frozen=True, slots=True)
class Outcome(JobMessage):
    """How an attempt at a job ended."""

    ending: Ending
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None  # code, message, pointer, retryable


CommandVerb = Literal["cancel", "pause", "drain"]


@dataclass(frozen=True, slots=True)
class Command:
    """An instruction from the worker to the attempt."""

    verb: CommandVerb
    payload: Mapping[str, object] = field(default_factory=dict)


Message = JobMessage | Command
_CODEC = MessageCodec[Message](ProgressReport, SavedCheckpoint, Outcome, Command)


def send(pipe: Connection, message: Message) -> None:
    """Send one message."""
    pipe.send_bytes(_CODEC.encode(message))


def receive(pipe: Connection) -> Message:
    """Wait for one message and return it. Raises `EOFError` if the other side is gone."""
    return _CODEC.decode(pipe.recv_bytes())
