"""What the service tells, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

TERMINAL_STATUSES = frozenset({"succeeded", "failed", "cancelled"})
_NON_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a job. `seq` numbers a job's events without gaps; 0 for the closing `done`."""

    seq: int
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class File:
    """A file of a checkpoint."""

    name: str
    size: int  # bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A durable state of a job's network."""

    id: str
    step: int
    epoch: float
    values: Mapping[str, float]  # series → value at this step
    files: tuple[File, ...]
    final: bool

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Checkpoint":
        """Return the checkpoint that the service described."""
        return cls(
            id=document["id"],
            step=document["step"],
            epoch=document["epoch"],
            values={name: parse_number(value) for name, value in document.get("values", {}).items()},
            files=tuple(File(item["name"], item["size"], item["sha256"]) for item in document["files"]),
            final=document.get("final", False),
        )


@dataclass(frozen=True, slots=True)
class Dataset:
    """A registered data set. `status`: awaiting_content, ready or invalid."""

    id: str
    name: str
    status: str
    document: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Dataset":
        """Return the data set that the service described."""
        return cls(document["id"], document["name"], document["status"], document)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key. The service tells the `token` once, when it creates the key."""

    id: str
    name: str
    scopes: tuple[str, ...]
    token: str | None = field(default=None, repr=False)
    revoked: bool = False
    expires_at: str | None = None
    last_used_at: str | None = None  # to about a minute
    limits: Mapping[str, Any] = field(default_factory=dict)  # those that differ from the service's

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Key":
        """Return the key that the service described."""
        revoked = document.get("revoked_at") is not None
        return cls(
            document["id"],
            document["name"],
            tuple(document["scopes"]),
            document.get("token"),
            revoked,
            document.get("expires_at"),
            document.get("last_used_at"),
            document.get("limits") or {},
        )


@dataclass(frozen=True, slots=True)
class Webhook:
    """Whom the service tells what happens to jobs. It tells the `secret` once, when it makes it."""

    id: str
    name: str
    url: str
    events: tuple[str, ...]
    status: str  # active, failing or disabled
    secret: str | None = field(default=None, repr=False)
    document: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Webhook":
        """Return the webhook that the service described."""
        return cls(
            document["id"],
            document["name"],
            document["url"],
            tuple(document["events"]),
            document["status"],
            document.get("secret"),
            document,
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to a webhook. `status`: pending, delivered or failed."""

    id: str
    type: str
    status: str
    attempts: Sequence[Mapping[str, Any]]
    document: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Delivery":
        """Return the message that the service described."""
        return cls(document["id"], document["type"], document["status"], document["attempts"], document)


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a job's network tells of rows: `rows[3]["output"]["label"]`. A sequence of its rows."""

    checkpoint: str
    step: int
    rows: Sequence[Mapping[str, Mapping[str, Any]]]  # in order; by output, what is told
    outputs: Mapping[str, Mapping[str, Any]]  # what each output is about, and its labels
    left_out: Mapping[str, str]  # outputs that cannot be told of rows alone, and why
    files: Sequence[str] = ()  # of an archive, one for each row
    document: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Predictions":
        """Return what the service told."""
        return cls(
            document["checkpoint"],
            document["step"],
            document["predictions"],
            document["outputs"],
            document["left_out"],
            document["files"] or (),
            document,
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Mapping[str, Mapping[str, Any]]:
        return self.rows[row]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Curves: per series, columns of equal length. `series["train/loss"]["last"][-1]` is the newest value."""

    x: str
    series: Mapping[str, Mapping[str, list[float]]]

    def names(self) -> list[str]:
        """Return the names of the series."""
        return list(self.series)

    def to_pandas(self) -> Any:
        """Return one DataFrame with a column `series` and the columns of the curves. Needs pandas."""
        pandas: Any = import_module("pandas")  # here, for the client installs without it
        tables = [pandas.DataFrame({"series": name, **columns}) for name, columns in self.series.items()]
        return pandas.concat(tables, ignore_index=True) if tables else pandas.DataFrame({"series": []})


def parse_number(value: Any) -> float:
    """Return a number of a JSON answer, where NaN and the infinities are written as words or null."""
    if value is None:
        return float("nan")
    return _NON_FINITE[value] if isinstance(value, str) else value
