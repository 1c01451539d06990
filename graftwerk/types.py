"""Objects of the service, as the client returns them."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from graftwerk import tables
from graftwerk.notebook.views import dataset_html, network_html
from graftwerk.numbers import parse_number

if TYPE_CHECKING:
    import pandas
    import polars

TERMINAL_STATUSES = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a job. `seq` numbers a job's events without gaps; it is 0 for the final `done`."""

    seq: int
    kind: str
    data: Mapping[str, Any]


class Point(NamedTuple):
    """A value of a curve: `time` in seconds since 1970, `elapsed` in seconds of training."""

    series: str
    step: int
    value: float
    time: float
    elapsed: float


@dataclass(frozen=True, slots=True)
class File:
    """A file of a checkpoint."""

    name: str
    size: int  # bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint of a job's network."""

    id: str
    step: int
    epoch: float
    values: Mapping[str, float]  # series → value at this step
    files: tuple[File, ...]
    final: bool
    revision: int = 1  # of the job: 1 until it is edited
    best: bool = False  # the job's best: the one that predicts, and that is downloaded unless another one is named

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Checkpoint":
        """Build a checkpoint from the service's JSON."""
        return cls(
            id=document["id"],
            step=document["step"],
            epoch=document["epoch"],
            values={name: parse_number(value) for name, value in document.get("values", {}).items()},
            files=tuple(File(item["name"], item["size"], item["sha256"]) for item in document["files"]),
            final=document.get("final", False),
            revision=document.get("revision", 1),
            best=document.get("best", False),
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
        """Build a data set from the service's JSON."""
        return cls(document["id"], document["name"], document["status"], document)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the first rows, of the preview, as a DataFrame. Raises `MissingPackage`."""
        return tables.to_pandas(tables.columns_of(self.document.get("preview") or ()))

    def to_polars(self) -> "polars.DataFrame":
        """Return the first rows, of the preview, as a DataFrame of Polars. Raises `MissingPackage`."""
        return tables.to_polars(tables.columns_of(self.document.get("preview") or ()))

    def _repr_html_(self) -> str:
        return dataset_html(self.document)


class Network(dict[str, Any]):
    """A network as the service inspects it: `nodes`, `inputs`, `outputs`, `totals`. A table in notebooks."""

    def _repr_html_(self) -> str:
        return network_html(self)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed job: a spec to submit or to change, a reason for each choice, and what was guessed or left out."""

    spec: dict[str, Any]
    reasons: tuple[Mapping[str, str], ...]  # pointer into the spec, text
    warnings: tuple[Mapping[str, str], ...]  # pointer into the request, code, detail, hint

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Proposal":
        """Build a proposal from the service's JSON."""
        return cls(document["spec"], tuple(document["reasons"]), tuple(document["warnings"]))


@dataclass(frozen=True, slots=True)
class Key:
    """An API key. `token` is set only when the key is created or rotated."""

    id: str
    name: str
    scopes: tuple[str, ...]
    token: str | None = field(default=None, repr=False)
    revoked: bool = False
    expires_at: str | None = None
    last_used_at: str | None = None  # accurate to about a minute
    limits: Mapping[str, Any] = field(default_factory=dict)  # that override the service's

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Key":
        """Build a key from the service's JSON."""
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
    """A receiver of job events. `secret` is set only when the webhook is created or rotated."""

    id: str
    name: str
    url: str
    events: tuple[str, ...]
    status: str  # active, failing or disabled
    secret: str | None = field(default=None, repr=False)
    document: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Webhook":
        """Build a webhook from the service's JSON."""
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
        """Build a delivery from the service's JSON."""
        return cls(document["id"], document["type"], document["status"], document["attempts"], document)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions of a job's network, a sequence of rows: `predictions[3]["output"]["label"]`."""

    checkpoint: str
    step: int
    rows: Sequence[Mapping[str, Mapping[str, Any]]]  # in the order of the request; fields by output
    outputs: Mapping[str, Mapping[str, Any]]  # meaning and labels of each output
    left_out: Mapping[str, str]  # outputs that cannot be computed from rows alone, and why
    files: Sequence[str] = ()  # of an archive, one per row
    document: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Predictions":
        """Build predictions from the service's JSON."""
        return cls(
            document["checkpoint"],
            document["step"],
            document["predictions"],
            document["outputs"],
            document["left_out"],
            document["files"] or (),
            document,
        )

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a DataFrame with a row for each prediction, and columns such as `output.label`; `file` if there are.

        Raises `MissingPackage`.
        """
        return tables.to_pandas(self._columns())

    def to_polars(self) -> "polars.DataFrame":
        """Return a DataFrame of Polars with the columns of `to_pandas`. Raises `MissingPackage`."""
        return tables.to_polars(self._columns())

    def images(self, output: str | None = None) -> list[bytes]:
        """Return the PNG file of every row, of the only output that is an image, or of the named one.

        They were requested by `outputs="image"`. Raises `KeyError` if there are none, or several outputs of them.
        """
        found = [name for name, fields in self.rows[0].items() if "image" in fields] if self.rows else []
        name = output or (found[0] if len(found) == 1 else None)
        if name not in found:
            raise KeyError(f"name one of the outputs that are images: {', '.join(found) or 'there is none'}")
        return [base64.b64decode(row[name]["image"]) for row in self.rows]

    def _columns(self) -> dict[str, Any]:
        flat = [
            {f"{output}.{field}": value for output, fields in row.items() for field, value in fields.items()}
            for row in self.rows
        ]
        return ({"file": list(self.files)} if self.files else {}) | tables.columns_of(flat)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Mapping[str, Mapping[str, Any]]:
        return self.rows[row]


CURVE_COLUMNS = ("x", "step", "min", "max", "last", "count", "nan")


@dataclass(frozen=True, slots=True)
class Metrics:
    """Curves: for each series, columns of equal length. `series["train/loss"]["last"][-1]` is the newest value."""

    x: str
    series: Mapping[str, Mapping[str, list[float]]]

    @classmethod
    def from_document(cls, x: str, document: Mapping[str, Any]) -> "Metrics":
        """Build curves from the service's JSON."""
        series = {
            name: {
                title: [parse_number(value) for value in column]
                for title, column in columns.items()
                if title in CURVE_COLUMNS
            }
            for name, columns in document["series"].items()
        }
        return cls(x, series)

    def names(self) -> list[str]:
        """Return the names of the series."""
        return list(self.series)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a DataFrame with the column `series` and the columns of the curves. Raises `MissingPackage`."""
        return tables.to_pandas(self._columns())

    def to_polars(self) -> "polars.DataFrame":
        """Return a DataFrame of Polars with the columns of `to_pandas`. Raises `MissingPackage`."""
        return tables.to_polars(self._columns())

    def _columns(self) -> dict[str, list[Any]]:
        """Return one table of all series."""
        names = dict.fromkeys(name for columns in self.series.values() for name in columns)
        table: dict[str, list[Any]] = {"series": []} | {name: [] for name in names or CURVE_COLUMNS}
        for series, columns in self.series.items():
            count = max(map(len, columns.values()), default=0)
            table["series"] += [series] * count
            for name in names:
                table[name] += columns.get(name, [float("nan")] * count)
        return table
