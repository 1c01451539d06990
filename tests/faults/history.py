"""What a campaign leaves behind, read from the database: the material of the invariants."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import curves
from app.db.tables import CheckpointRow, EditRow, EventRow, JobRow
from app.storage.protocol import ArtifactStore

SeriesPoints = dict[str, tuple[tuple[int, ...], bytes]]  # name → (steps, the values' bits)


@dataclass(frozen=True)
class AcknowledgedJob:
    """A job that was acknowledged to a client, and what was acknowledged since."""

    job_id: str
    key: str  # the Idempotency-Key it was sent with
    spec: str  # the name of the golden run that it repeats
    ends: tuple[str, ...] = ("succeeded",)  # how it may end
    cancelled_at: float | None = None  # when the cancellation was acknowledged, Unix seconds


@dataclass(frozen=True)
class JobRecord:
    """One job as the database tells it."""

    id: str
    status: str
    fence: int
    worker: str | None
    lease_until: float | None
    wish: str | None
    total_steps: int | None
    events: tuple[EventRow, ...]
    series: SeriesPoints
    ends: Mapping[str, int]  # last index + 1 of every series, by the chunks' own counts
    checkpoints: tuple[CheckpointRow, ...]
    revision: int = 1
    edits: tuple[EditRow, ...] = ()

    @property
    def transitions(self) -> list[EventRow]:
        """The transitions."""
        return [event for event in self.events if event.kind == "status"]


@dataclass(frozen=True)
class GoldenRun:
    """What a run that nobody disturbed made."""

    series: SeriesPoints
    files: Mapping[str, str]  # SHA-256 of the final checkpoint's files whose content is a function of the spec


@dataclass
class History:
    """Everything that the invariants look at."""

    acknowledged: list[AcknowledgedJob]
    records: Mapping[str, JobRecord]
    golden: Mapping[str, GoldenRun]
    store: ArtifactStore
    accepted: set[str] = field(default_factory=set)  # every job that the database has, of this round's clients
    left_running: list[str] = field(default_factory=list)  # processes after the end
    torn: list[str] = field(default_factory=list)  # checkpoints that were listed and broken at some moment


DETERMINISTIC_FILES = ("weights.safetensors", "state.safetensors")  # state.json tells seconds, too
SEGMENT_PREFIX = "segment-"


def read_job(session: Session, job_id: str) -> JobRecord | None:
    """Read one job."""
    row = session.get(JobRow, job_id)
    if row is None:
        return None
    names = curves.series_names(session, job_id)
    points = {name: curves.read_points(session, job_id, name) for name in names}
    series = {name: (tuple(each["step"].tolist()), each["value"].tobytes()) for name, each in points.items()}
    events = session.scalars(select(EventRow).where(EventRow.job_id == job_id).order_by(EventRow.seq)).all()
    saved = session.scalars(select(CheckpointRow).where(CheckpointRow.job_id == job_id)).all()
    return JobRecord(
        id=row.id,
        status=row.status,
        fence=row.fence,
        worker=row.worker,
        lease_until=row.lease_until,
        wish=row.wish,
        total_steps=row.progress.get("total_steps"),
        events=tuple(events),
        series=series,
        ends=series_ends(session, job_id, names),
        checkpoints=tuple(saved),
        revision=row.revision,
        edits=tuple(session.scalars(select(EditRow).where(EditRow.job_id == job_id).order_by(EditRow.number))),
    )


def series_ends(session: Session, job_id: str, names: Iterable[str]) -> dict[str, int]:
    """Return the index after the last point of every series."""
    return {name: curves._point_count(session, job_id, name) for name in names}


def golden_run(record: JobRecord) -> GoldenRun:
    """Take a run as the measure of all others."""
    assert record.status == "succeeded", record
    final = next(saved for saved in record.checkpoints if saved.final)
    return GoldenRun(record.series, deterministic_hashes(final.files))


def deterministic_hashes(files: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the hashes of the files whose every bit is a function of the spec."""
    return {
        file["name"]: file["sha256"]
        for file in files
        if file["name"].startswith((*DETERMINISTIC_FILES, SEGMENT_PREFIX))
    }
