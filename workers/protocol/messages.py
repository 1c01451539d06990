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
class HistogramCounts:
    """The filled bins of several histograms, one after the other, see `app.statistics.Histograms`."""

    sizes: list[int]  # how many bins each histogram fills; 0: it has no values
    bins: list[int]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class StatisticsSample:
    """The statistics of one step. The attempt's first sample of each layout names its series: (node, quantity)."""

    step: int
    layout: str  # a digest of the series
    values: list[float | None]  # by series; `None`: no value at this step
    series: list[tuple[str, str]] | None = None
    histogram_series: list[tuple[str, str]] | None = None
    histograms: HistogramCounts | None = None


@dataclass(frozen=True, slots=True)
class ProgressReport(JobMessage):
    """How far the training is, new points of its series, events, and samples of statistics."""

    phase: str | None = None
    progress: Mapping[str, Any] | None = None  # step, epoch, total_steps, steps_per_epoch, rate, latest
    series: Mapping[str, SeriesPoints] = field(default_factory=dict)
    events: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # (kind, data)
    statistics: tuple[StatisticsSample, ...] = ()


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
    revision: int = 1  # of the job: whose document its network and its state follow


@dataclass(frozen=True, slots=True)
class EditApplied(JobMessage):
    """An edit was applied between two steps. It may come again, after an attempt has resumed from before the edit.

    An edit that the plan has made (`rule` and `firing`) has no number of its own yet: whoever records it numbers it.
    If `step` is before steps that were reported, a `rewound` event has said so: the training went back to a checkpoint.
    """

    number: int | None
    step: int  # finished steps of the optimizer at that moment
    revision: int  # that begins with it
    document: Mapping[str, Any]  # the job's whole spec afterwards
    choices: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # by place of the operation
    details: Mapping[str, Any] = field(default_factory=dict)  # warnings, milliseconds, parameters
    operations: tuple[Mapping[str, Any], ...] = ()
    rule: int | None = None  # the place in `training.edits` of the rule that made it
    firing: int = 0  # which time of that rule, from 1


@dataclass(frozen=True, slots=True)
class EditRejected(JobMessage):
    """An edit could not be applied: the training goes on as it was. `problems` are as those of a spec."""

    number: int | None
    problems: tuple[Mapping[str, Any], ...]  # pointer, code, detail, hint; pointers lead into the edit
    step: int = 0
    operations: tuple[Mapping[str, Any], ...] = ()  # of an edit that a rule made
    rule: int | None = None
    firing: int = 0


@dataclass(frozen=True, slots=True)
class EditWithdrawn(JobMessage):
    """An edit that was waiting for its moment will not be applied: the answer to the command `withdraw`."""

    number: int


EditMessage = EditApplied | EditRejected | EditWithdrawn


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


EndingVerb = Literal["cancel", "pause", "drain"]  # commands that end an attempt
CommandVerb = EndingVerb | Literal["edit", "withdraw"]
ENDINGS: Mapping[CommandVerb, Ending] = {
    "cancel": Ending.CANCELLED,
    "pause": Ending.PAUSED,
    "drain": Ending.RELEASED,
}  # how an attempt ends that obeys such a command, or is killed after it


@dataclass(frozen=True, slots=True)
class Command:
    """An instruction from the worker to the attempt.

    The payload of `edit` is an `EditRef` as a mapping, that of `withdraw` is {"number"}.
    """

    verb: CommandVerb
    payload: Mapping[str, Any] = field(default_factory=dict)


Message = JobMessage | Command
_CODEC = MessageCodec[Message](
    ProgressReport, SavedCheckpoint, EditApplied, EditRejected, EditWithdrawn, Outcome, Command
)


def send(pipe: Connection, message: Message) -> None:
    """Send one message."""
    pipe.send_bytes(_CODEC.encode(message))


def receive(pipe: Connection) -> Message:
    """Wait for one message and return it. Raises `EOFError` if the other side is gone."""
    return _CODEC.decode(pipe.recv_bytes())
