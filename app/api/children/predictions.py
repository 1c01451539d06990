"""Predictions: from a request to the answer of a job's network."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app import checkpoints
from app.api.children.predictor import Another, Question
from app.api.http.bodies import told_length
from app.api.services import Part, Services
from app.db.tables import CheckpointRow, JobRow
from app.errors import CheckpointDamaged, NotFound, NotPredictable, StateForbids, TooLarge, UnsupportedMedia
from app.jobs import repository
from app.jobs.states import ENDED
from app.spec.prediction import FORMS, Asked
from app.spec.training.plan import Checkpointing

NEEDED = ("weights.safetensors", "preparation.json")
TRIES = 3  # checkpoints of a running job come and go


@dataclass(frozen=True, slots=True)
class Arrived:
    """A body in a temporary file, which lives as long as the request."""

    path: Path
    media_type: str
    form: str

    @property
    def target(self) -> Path:
        """Where the answer is written."""
        return self.path.with_name("answer")


async def _arrived(request: Request, services: Part) -> AsyncIterator[Arrived]:
    """Receive the body. Raises `UnsupportedMedia`, `Overloaded`, and `TooLarge`, at once where its length is told."""
    limit = services.settings.predict_limit
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in FORMS:
        raise UnsupportedMedia(f"{media_type} is not read here", hint="one of: " + ", ".join(filter(None, FORMS)))
    if told_length(request) > limit:
        raise TooLarge(f"the body has {told_length(request)} bytes, at most {limit} are allowed")
    room = services.predictors.places.taken()
    with room, tempfile.TemporaryDirectory(prefix="graftwerk-predict-") as folder:
        path, received = Path(folder) / "body", 0
        with path.open("wb") as file:
            async for chunk in request.stream():
                received += len(chunk)
                if received > limit:
                    raise TooLarge(f"the body has more than {limit} bytes", hint="send fewer rows")
                file.write(chunk)
        yield Arrived(path, media_type, FORMS[media_type])


Rows = Annotated[Arrived, Depends(_arrived)]


@dataclass(frozen=True, slots=True)
class Source:
    """A job and the checkpoint that answers for it."""

    job: JobRow
    checkpoint: CheckpointRow

    @property
    def files(self) -> list[Mapping[str, Any]]:
        """The weights, and how rows are prepared. Raises `NotPredictable`."""
        offered = {file["name"]: file for file in self.checkpoint.files if file["public"]}
        missing = [name for name in NEEDED if name not in offered]
        if missing:
            raise NotPredictable(f"{self.checkpoint.id} has no {' and no '.join(missing)}")
        return [offered[name] for name in NEEDED]


def source(session: Session, owner: str, job_id: str, checkpoint_id: str | None) -> Source:
    """Return the owner's job with a checkpoint of its own: the named one, or the best. Raises `NotFound`.

    Raises `StateForbids` while there is none.
    """
    job = repository.find(session, owner, job_id)
    if checkpoint_id is not None:
        named = checkpoints.find(session, owner, checkpoint_id)
        if named.job_id != job_id:
            raise NotFound(f"{job_id} has no checkpoint {checkpoint_id}")
        return Source(job, named)
    plan = Checkpointing.model_validate((job.spec.get("training") or {}).get("checkpoint") or {})
    found = checkpoints.preferred(session, job_id, plan.monitor, plan.mode)
    if found is None:
        hint = "it ended before its first one" if job.status in ENDED else "wait until it has trained for a while"
        raise StateForbids(f"the job is {job.status} and has no checkpoint", hint=hint)
    return Source(job, found)


def predicted(services: Services, owner: str, job_id: str, rows: Arrived, asked: Asked, table: bool) -> bytes:
    """Return the answer's body: what the job's network tells of the rows, as JSON or as a table.

    Raises `NotFound`, `StateForbids`, `CheckpointDamaged`, and what `Predictors.answer` raises.
    """
    named = asked.checkpoint
    for left in reversed(range(TRIES)):
        found = services.db.read(source, owner, job_id, named)
        try:
            _answer(services, found, rows, asked, table)
        except Another as other:  # which the body names
            named = other.checkpoint
        except (NotPredictable, CheckpointDamaged):
            if named is not None or rows.form != "document":
                raise
            named = services.predictors.named(rows.path, rows.media_type)
            if named is None:
                raise
        except NotFound:
            if not left:
                raise
        else:
            return rows.target.read_bytes()
    raise NotFound(f"{job_id} has no checkpoint {named}")


def _answer(services: Services, found: Source, rows: Arrived, asked: Asked, table: bool) -> None:
    job, checkpoint = found.job, found.checkpoint
    question = Question(
        checkpoint=checkpoint.id,
        job=job.spec,
        data_schema=job.data_schema,
        told={"job": job.id, "checkpoint": checkpoint.id, "step": checkpoint.step},
        body=rows.path,
        media_type=rows.media_type,
        form=rows.form,
        asked=asked.model_dump(mode="json", exclude_unset=True),
        table=table,
        target=rows.target,
    )
    with services.predictors.copies.held(services.store, found.files) as (weights, preparation):
        services.predictors.answer(question, weights, preparation)
