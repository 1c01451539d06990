"""Predictions: from the rows of a request to the response of a job's network."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app import checkpoints
from app.api.auth import ReadPrincipal
from app.api.children.predictor import CheckpointMismatch
from app.api.services import Services
from app.db.tables import CheckpointRow, JobRow
from app.edits import revisions
from app.errors import CorruptCheckpoint, InvalidState, NotFound, NotPredictable, UnsupportedMediaType
from app.jobs import repository
from app.jobs.states import TERMINAL_STATUSES
from app.spec.data.upload_formats import find_encoding
from app.spec.prediction import ROW_FORMATS, PredictionOptions
from workers.protocol.child_requests import PredictRequest

REQUIRED_FILES = ("weights.safetensors", "preparation.json")
MAX_ATTEMPTS = 3  # checkpoints of a running job come and go


@dataclass(frozen=True, slots=True)
class RowsFile:
    """The body of a request in a temporary file, which lives as long as the request."""

    path: Path
    media_type: str
    form: str
    encoding: str | None = None  # of a text, by the charset of the request

    @property
    def target(self) -> Path:
        """The file for the response."""
        return self.path.with_name("response")


async def _received_rows(request: Request, who: ReadPrincipal) -> RowsFile:
    """Return the body that `received_body` has received. Raises `UnsupportedMediaType`."""
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    charset = header.get_content_charset()
    encoding = find_encoding(charset) if charset is not None else None
    if charset is not None and encoding is None:
        raise UnsupportedMediaType(f"the charset {charset} is not read here", hint="convert the rows to UTF-8")
    if media_type not in ROW_FORMATS:
        hint = "one of: " + ", ".join(filter(None, ROW_FORMATS))
        raise UnsupportedMediaType(f"{media_type} is not read here", hint=hint)
    return RowsFile(request.scope["body_file"], media_type, ROW_FORMATS[media_type], encoding)


RowsFileDep = Annotated[RowsFile, Depends(_received_rows)]


@dataclass(frozen=True, slots=True)
class PredictionSource:
    """A job and the checkpoint to predict with."""

    job: JobRow
    checkpoint: CheckpointRow
    spec: Mapping[str, Any]  # of the checkpoint's revision

    @property
    def files(self) -> list[Mapping[str, Any]]:
        """The weights and the preparation of rows. Raises `NotPredictable`."""
        public = checkpoints.public_files(self.checkpoint)
        missing = [name for name in REQUIRED_FILES if name not in public]
        if missing:
            raise NotPredictable(f"{self.checkpoint.id} has no {' and no '.join(missing)}")
        return [public[name] for name in REQUIRED_FILES]


def prediction_source(session: Session, owner: str, job_id: str, checkpoint_id: str | None) -> PredictionSource:
    """Return the owner's job with a checkpoint of its own: the named one, or the best. Raises `NotFound`.

    Raises `InvalidState` while there is none.
    """
    job = repository.find(session, owner, job_id)
    if checkpoint_id is not None:
        named = checkpoints.find(session, owner, checkpoint_id)
        if named.job_id != job_id:
            raise NotFound(f"{job_id} has no checkpoint {checkpoint_id}")
        return PredictionSource(job, named, revisions.checkpoint_document(session, job, named))
    checkpoint = checkpoints.best_by_plan(session, job)
    if checkpoint is None:
        hint = (
            "it ended before its first one"
            if job.status in TERMINAL_STATUSES
            else "wait until it has trained for a while"
        )
        raise InvalidState(f"the job is {job.status} and has no checkpoint", hint=hint)
    return PredictionSource(job, checkpoint, revisions.checkpoint_document(session, job, checkpoint))


def predict_rows(
    services: Services, owner: str, job_id: str, rows: RowsFile, options: PredictionOptions, as_csv: bool
) -> bytes:
    """Return the body of the response: the predictions of the job's network, as JSON or as CSV.

    Raises `NotFound`, `InvalidState`, `CorruptCheckpoint`, and what `PredictorPool.predict` raises.
    """
    checkpoint_id = options.checkpoint
    for remaining in reversed(range(MAX_ATTEMPTS)):
        source = services.db.read(prediction_source, owner, job_id, checkpoint_id)
        try:
            _run_prediction(services, source, rows, options, as_csv)
        except CheckpointMismatch as mismatch:
            checkpoint_id = mismatch.checkpoint
        except (NotPredictable, CorruptCheckpoint):
            if checkpoint_id is not None or rows.form != "document":
                raise
            checkpoint_id = services.predictors.requested_checkpoint(rows.path, rows.media_type)
            if checkpoint_id is None:
                raise
        except NotFound:
            if not remaining:
                raise
        else:
            return rows.target.read_bytes()
    raise NotFound(f"{job_id} has no checkpoint {checkpoint_id}")


def _run_prediction(
    services: Services, source: PredictionSource, rows: RowsFile, options: PredictionOptions, as_csv: bool
) -> None:
    job, checkpoint, settings = source.job, source.checkpoint, services.predictors.settings
    with services.predictors.copies.local_files(services.store, source.files) as (weights, preparation):
        request = PredictRequest(
            checkpoint=checkpoint.id,
            job=source.spec,
            schema=job.data_schema,
            metadata={"job": job.id, "checkpoint": checkpoint.id, "step": checkpoint.step},
            weights=weights,
            preparation=preparation,
            body=rows.path,
            media_type=rows.media_type,
            form=rows.form,
            encoding=rows.encoding,
            options=options.model_dump(mode="json", exclude_unset=True),
            as_csv=as_csv,
            target=rows.target,
            max_rows=settings.predict_rows,
            max_bytes=settings.predict_limit,
            device=settings.predict_device,
        )
        services.predictors.predict(request)
