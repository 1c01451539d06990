"""Predictions: from a request to the answer of a job's network."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app import checkpoints
from app.api.children.predictor import CheckpointMismatch, PredictionRequest
from app.api.http.bodies import content_length
from app.api.services import Services, ServicesDep
from app.db.tables import CheckpointRow, JobRow
from app.errors import ContentTooLarge, CorruptCheckpoint, InvalidState, NotFound, NotPredictable, UnsupportedMediaType
from app.jobs import repository
from app.jobs.states import TERMINAL_STATUSES
from app.spec.prediction import ROW_FORMATS, PredictionOptions
from app.spec.training.plan import Checkpointing

REQUIRED_FILES = ("weights.safetensors", "preparation.json")
MAX_ATTEMPTS = 3  # checkpoints of a running job come and go


@dataclass(frozen=True, slots=True)
class RowsFile:
    """A body in a temporary file, which lives as long as the request."""

    path: Path
    media_type: str
    form: str

    @property
    def target(self) -> Path:
        """Where the answer is written."""
        return self.path.with_name("answer")


async def _receive_rows(request: Request, services: ServicesDep) -> AsyncIterator[RowsFile]:
    """Receive the body. Raises `UnsupportedMedia`, `Overloaded`, and `TooLarge`, at once where its length is told."""
    limit = services.settings.predict_limit
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ROW_FORMATS:
        raise UnsupportedMediaType(
            f"{media_type} is not read here", hint="one of: " + ", ".join(filter(None, ROW_FORMATS))
        )
    if content_length(request) > limit:
        raise ContentTooLarge(f"the body has {content_length(request)} bytes, at most {limit} are allowed")
    room = services.predictors.limiter.acquire()
    with room, tempfile.TemporaryDirectory(prefix="graftwerk-predict-") as folder:
        path, received = Path(folder) / "body", 0
        with path.open("wb") as file:
            async for chunk in request.stream():
                received += len(chunk)
                if received > limit:
                    raise ContentTooLarge(f"the body has more than {limit} bytes", hint="send fewer rows")
                file.write(chunk)
        yield RowsFile(path, media_type, ROW_FORMATS[media_type])


RowsFileDep = Annotated[RowsFile, Depends(_receive_rows)]


@dataclass(frozen=True, slots=True)
class PredictionSource:
    """A job and the checkpoint that answers for it."""

    job: JobRow
    checkpoint: CheckpointRow

    @property
    def files(self) -> list[Mapping[str, Any]]:
        """The weights, and how rows are prepared. Raises `NotPredictable`."""
        offered = {file["name"]: file for file in self.checkpoint.files if file["public"]}
        missing = [name for name in REQUIRED_FILES if name not in offered]
        if missing:
            raise NotPredictable(f"{self.checkpoint.id} has no {' and no '.join(missing)}")
        return [offered[name] for name in REQUIRED_FILES]


def prediction_source(session: Session, owner: str, job_id: str, checkpoint_id: str | None) -> PredictionSource:
    """Return the owner's job with a checkpoint of its own: the named one, or the best. Raises `NotFound`.

    Raises `StateForbids` while there is none.
    """
    job = repository.find(session, owner, job_id)
    if checkpoint_id is not None:
        named = checkpoints.find(session, owner, checkpoint_id)
        if named.job_id != job_id:
            raise NotFound(f"{job_id} has no checkpoint {checkpoint_id}")
        return PredictionSource(job, named)
    plan = Checkpointing.model_validate((job.spec.get("training") or {}).get("checkpoint") or {})
    found = checkpoints.best_or_latest(session, job_id, plan.monitor, plan.mode)
    if found is None:
        hint = (
            "it ended before its first one"
            if job.status in TERMINAL_STATUSES
            else "wait until it has trained for a while"
        )
        raise InvalidState(f"the job is {job.status} and has no checkpoint", hint=hint)
    return PredictionSource(job, found)


def predict_rows(
    services: Services, owner: str, job_id: str, rows: RowsFile, asked: PredictionOptions, table: bool
) -> bytes:
    """Return the answer's body: what the job's network tells of the rows, as JSON or as a table.

    Raises `NotFound`, `StateForbids`, `CheckpointDamaged`, and what `Predictors.answer` raises.
    """
    named = asked.checkpoint
    for left in reversed(range(MAX_ATTEMPTS)):
        found = services.db.read(prediction_source, owner, job_id, named)
        try:
            _run_prediction(services, found, rows, asked, table)
        except CheckpointMismatch as other:  # which the body names
            named = other.checkpoint
        except (NotPredictable, CorruptCheckpoint):
            if named is not None or rows.form != "document":
                raise
            named = services.predictors.requested_checkpoint(rows.path, rows.media_type)
            if named is None:
                raise
        except NotFound:
            if not left:
                raise
        else:
            return rows.target.read_bytes()
    raise NotFound(f"{job_id} has no checkpoint {named}")


def _run_prediction(
    services: Services, found: PredictionSource, rows: RowsFile, asked: PredictionOptions, table: bool
) -> None:
    job, checkpoint = found.job, found.checkpoint
    question = PredictionRequest(
        checkpoint=checkpoint.id,
        job=job.spec,
        data_schema=job.data_schema,
        metadata={"job": job.id, "checkpoint": checkpoint.id, "step": checkpoint.step},
        body=rows.path,
        media_type=rows.media_type,
        form=rows.form,
        options=asked.model_dump(mode="json", exclude_unset=True),
        as_csv=table,
        target=rows.target,
    )
    with services.predictors.copies.local_files(services.store, found.files) as (weights, preparation):
        services.predictors.predict(question, weights, preparation)
