"""Jobs that are really trained, as a worker trains them, with their checkpoints in the service's store."""

import tempfile
import uuid
from pathlib import Path
from typing import Any

from app.jobs import repository
from app.settings import Settings
from tests.app.api.client import Api, Client
from tests.app.api.scenes import tell
from workers.handover import assignment_for
from workers.training.context import MemoryContext
from workers.training.loop import train
from workers.training.prepare import prepare


def trained(api: Api, client: Client, spec: dict[str, Any]) -> str:
    """Submit a job, train it, and record its checkpoints; returns the job's id."""
    queue = uuid.uuid4().hex  # where nothing else waits
    made = client.post("/v1/jobs", json=spec | {"resources": {"queue": queue}})
    assert made.status_code == 201, made.text
    db, job_id = api.services.db, made.json()["id"]
    job = db.run(repository.claim, [queue], "w1", 300.0)
    assert job is not None
    assert job.id == job_id
    assignment = db.run(assignment_for, job, Settings(), None)
    context = MemoryContext()
    with tempfile.TemporaryDirectory() as folder:
        outcome = train(prepare(assignment, api.services.store, context, Path(folder)))
    for saved in context.saved:
        tell(db, job, saved)
    tell(db, job, outcome)
    return job_id
