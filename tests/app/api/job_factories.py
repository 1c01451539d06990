"""Jobs in every state, made as workers make them."""

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.db.session import Database
from app.db.tables import JobRow
from app.ids import new_id
from app.jobs import repository, service
from app.jobs.states import Status
from app.settings import Settings
from app.storage.protocol import ArtifactStore
from workers.host.persist import record
from workers.protocol.messages import (
    Ending,
    HistogramCounts,
    JobMessage,
    Outcome,
    ProgressReport,
    SavedCheckpoint,
    SavedFile,
    SeriesPoints,
    StatisticsSample,
)

SETTINGS = Settings()
SPEC: dict[str, Any] = {
    "name": "iris",
    "model": {"layers": [{"kind": "Linear", "out_features": 3}]},
    "data": {"kind": "builtin", "name": "iris", "validation": {"fraction": 0.2}},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
}
ERROR = {"code": "data_invalid", "message": "a label is too large", "pointer": "/data", "hint": "", "retryable": False}


def create_queued_job(db: Database, owner: str = "anna", **values: Any) -> str:
    """Insert a job that waits."""
    base: dict[str, Any] = {"owner": owner, "name": "iris", "spec": SPEC, "queue": "default", "priority": 0}
    documents: dict[str, Any] = {"data_schema": {}, "inspection": {}, "labels": {}}
    return db.run(repository.insert, **(base | documents | values)).id


def create_running_job(db: Database, owner: str = "anna", **values: Any) -> JobRow:
    """Insert a job and let a worker claim it."""
    queue = uuid.uuid4().hex
    create_queued_job(db, owner, queue=queue, **values)
    claimed = db.run(repository.claim, [queue], "w1", 300.0)
    assert claimed is not None
    return claimed


def record_message(db: Database, job: JobRow, message: JobMessage) -> None:
    """Record what an attempt says."""
    db.run(record, job.fence, replace(message, job_id=job.id), SETTINGS)


def finish_job(db: Database, job: JobRow, ending: Ending = Ending.SUCCEEDED) -> str:
    """Let the attempt end."""
    result = {"train/loss": 0.1} if ending == Ending.SUCCEEDED else None
    record_message(db, job, Outcome(ending, result=result, error=ERROR if ending == Ending.FAILED else None))
    return job.id


def create_job_in_status(db: Database, status: Status, owner: str = "anna", **values: Any) -> str:
    """Return a job in a status."""
    match status:
        case Status.QUEUED:
            return create_queued_job(db, owner, **values)
        case Status.RUNNING:
            return create_running_job(db, owner, **values).id
        case Status.CANCELLED:
            return db.run(service.cancel, owner, create_queued_job(db, owner, **values)).id
        case Status.PAUSED:
            job = create_running_job(db, owner, **values)
            db.run(service.pause, owner, job.id)
            return finish_job(db, job, Ending.PAUSED)
        case Status.FAILED:
            return finish_job(db, create_running_job(db, owner, **values), Ending.FAILED)
        case Status.SUCCEEDED:
            return finish_job(db, create_running_job(db, owner, **values))


def curve_block(steps: Sequence[int], value: Callable[[int], float] = lambda step: 1.0 / step) -> SeriesPoints:
    """Return a point for every step: a second and a tenth of a second apart."""
    times = [1e9 + step for step in steps]
    return SeriesPoints(list(steps), [value(step) for step in steps], times, [step / 10 for step in steps])


def record_curve(
    db: Database,
    job: JobRow,
    count: int,
    value: Callable[[int], float] = lambda step: 1.0 / step,
    first: int = 1,
    name: str = "train/loss",
) -> None:
    """Record `count` points as a worker does, in blocks."""
    for start in range(first, first + count, 1024):
        steps = range(start, min(start + 1024, first + count))
        progress = {"step": steps[-1], "epoch": steps[-1] / 10, "total_steps": 10**6, "steps_per_epoch": 10}
        record_message(db, job, ProgressReport(progress=progress, series={name: curve_block(steps, value)}))


def record_statistics(
    db: Database,
    job: JobRow,
    steps: Sequence[int],
    value: Callable[[int], float | None] = lambda step: 1.0 / step,
    series: Sequence[tuple[str, str]] = (("linear", "grad_norm"), ("linear", "weight_norm")),
) -> None:
    """Record samples as a worker does: the values of all series are the same, and histograms have two bins."""
    for step in steps:
        histograms = HistogramCounts([2], [-500, 500], [step, 2 * step])
        names, digest = list(series), hashlib.blake2b(repr(series).encode(), digest_size=16).hexdigest()
        values = [value(step)] * len(series)
        sample = StatisticsSample(step, digest, values, names, [("linear", "weights")], histograms)
        record_message(db, job, ProgressReport(statistics=(sample,)))


def create_checkpoint(
    db: Database,
    store: ArtifactStore,
    job: JobRow,
    step: int,
    files: Mapping[str, bytes],
    loss: float | None = None,
    private: Mapping[str, bytes] | None = None,
    final: bool = False,
) -> str:
    """Store a checkpoint as a worker does; returns its id."""
    checkpoint = new_id("ckpt")
    kept = []
    for name, content in {**files, **(private or {})}.items():
        stored = store.put_bytes(f"jobs/{job.id}/{checkpoint}/{name}", content)
        kept.append(SavedFile(name, stored.key, stored.size, hashlib.sha256(content).hexdigest(), name in files))
    values = {} if loss is None else {"val/loss": loss}
    record_message(db, job, SavedCheckpoint(checkpoint, step, step / 10, values, tuple(kept), final))
    return checkpoint
