"""The checkpoint that a job starts from: whether it is there, and whether the job can go on from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from app import checkpoints
from app.db.tables import JobRow
from app.errors import NotFound, Problem

if TYPE_CHECKING:
    from app.spec.job import JobSpec

START_POINTER = "/start_from/checkpoint"
WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True, slots=True)
class StartCheckpoint:
    """The checkpoint that a job starts from: where its weights are, and the job that has trained it."""

    weights: str | None  # their key in the store
    document: dict[str, Any]  # the whole spec at the checkpoint
    schema: Mapping[str, Any]  # of the data


def find_start(session: Session, owner: str, document: object) -> StartCheckpoint | None:
    """Return the checkpoint that a job starts from; `None` if it names none that there is.

    The document may not have been checked: what is wrong with it is told elsewhere.
    """
    start = document.get("start_from") if isinstance(document, dict) else None
    named = start.get("checkpoint") if isinstance(start, dict) else None
    if not isinstance(named, str):
        return None
    try:
        row = checkpoints.find(session, owner, named)
    except NotFound:
        return None
    weights = next((file["path"] for file in row.files if file["name"] == WEIGHTS_FILE), None)
    schema = session.get_one(JobRow, row.job_id).data_schema
    return StartCheckpoint(weights, checkpoints.find_document(session, owner, named), schema)


def start_problems(session: Session, owner: str, job: "JobSpec", pin: bool = False) -> list[Problem]:
    """Return why the job cannot go on from its checkpoint: it is missing, or the training that is resumed differs.

    With `pin`, the checkpoint stays until the transaction ends.
    """
    from app.spec.job import parse_job, resume_problems  # noqa: PLC0415 - a worker has no need of the whole language

    if (start := job.start_from) is None or start.checkpoint is None:
        return []
    try:
        document = (checkpoints.pin if pin else checkpoints.find_document)(session, owner, start.checkpoint)
    except NotFound as error:
        return [Problem(START_POINTER, "unknown_checkpoint", error.detail, "look at the job's checkpoints")]
    return resume_problems(job, parse_job(document)) if start.what == "everything" else []
