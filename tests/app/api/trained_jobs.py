"""Jobs that are really trained, as a worker trains them, with their checkpoints in the service's store."""

import json
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import checkpoints
from app.db.tables import JobRow
from app.jobs import repository
from app.settings import Settings
from tests.app.api.client import Api, Client
from tests.app.api.job_factories import create_checkpoint, finish_job, record_message
from workers.host.assignments import build_assignment
from workers.protocol.messages import Outcome
from workers.training.context import MemoryContext
from workers.training.loop import train
from workers.training.prepare import prepare


@dataclass(frozen=True)
class TrainedCheckpoint:
    """A checkpoint of a job that was trained before."""

    step: int
    loss: float | None
    files: Mapping[str, bytes]


_checkpoints_by_spec: dict[str, list[TrainedCheckpoint]] = {}  # by spec


def train_job(api: Api, client: Client, spec: dict[str, Any]) -> str:
    """Submit a job, train it, and record its checkpoints; returns the job's id."""
    job, db = submit_and_claim(api, client, spec), api.services.db
    context, outcome = _train(api, job)
    for message in (*context.saved, outcome):
        record_message(db, job, message)
    return job.id


def train_unfinished_job(api: Api, client: Client, spec: dict[str, Any]) -> JobRow:
    """Submit a job and train it; all is recorded but its end, so that it is still running."""
    job = submit_and_claim(api, client, spec)
    for message in _train(api, job)[0].saved:
        record_message(api.services.db, job, message)
    return job


def _train(api: Api, job: JobRow) -> tuple[MemoryContext, Outcome]:
    assignment = api.services.db.run(build_assignment, job, Settings(), ())
    context = MemoryContext()
    with tempfile.TemporaryDirectory() as folder:
        return context, train(prepare(assignment, api.services.store, context, Path(folder)))


def train_job_cached(api: Api, client: Client, spec: dict[str, Any]) -> str:
    """Do the same; a spec that was trained before gets the checkpoints of that time."""
    db, store, key = api.services.db, api.services.store, json.dumps(spec)
    if key not in _checkpoints_by_spec:
        job_id = train_job(api, client, spec)
        _checkpoints_by_spec[key] = [
            TrainedCheckpoint(
                row.step,
                row.values.get("val/loss"),
                {file["name"]: b"".join(store.read(file["path"])) for file in row.files if file["public"]},
            )
            for row in reversed(db.read(checkpoints.list_checkpoints, job_id))
        ]
        return job_id
    job = submit_and_claim(api, client, spec)
    for kept in _checkpoints_by_spec[key]:
        create_checkpoint(db, store, job, kept.step, kept.files, kept.loss)
    return finish_job(db, job)


def submit_and_claim(api: Api, client: Client, spec: dict[str, Any]) -> JobRow:
    queue = uuid.uuid4().hex  # where nothing else waits
    made = client.post("/v1/jobs", json=spec | {"resources": {"queue": queue}})
    assert made.status_code == 201, made.text
    job = api.services.db.run(repository.claim, [queue], "w1", 300.0)
    assert job is not None
    assert job.id == made.json()["id"]
    return job
