"""Which files no row lists any more: superfluous checkpoints, and what dead attempts left behind."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import checkpoints
from app.db.session import Database
from app.db.tables import CheckpointRow, JobRow
from app.spec.job import parse_job
from app.storage.keys import exports_of
from app.storage.protocol import ArtifactStore
from app.storage.removal import remove_files


def trim(db: Database, store: ArtifactStore, job_id: str) -> None:
    """Drop the checkpoints that the plan no longer keeps, then their files."""
    rows = db.run(_surplus, job_id)
    remove_files(store, [file["path"] for row in rows for file in row.files])
    for row in rows:
        remove_files(store, store.keys(exports_of(job_id, row.id)))


def _surplus(session: Session, job_id: str) -> list[CheckpointRow]:
    job = session.get_one(
        JobRow, job_id, with_for_update=True, populate_existing=True
    )  # another job may be about to start from a checkpoint
    plan = parse_job(job.spec).training.checkpoint
    rows = checkpoints.surplus(session, job_id, plan.keep_last, plan.keep_best, plan.monitor, plan.mode)
    checkpoints.remove(session, rows)
    return rows


def collect(db: Database, store: ArtifactStore, job_id: str, fence: int) -> None:
    """Remove what attempts up to `fence` left behind without a row, for example half a checkpoint after a crash."""
    listed = db.run(_listed, job_id)
    found = store.keys(f"jobs/{job_id}/")
    remove_files(store, [key for key in found if key not in listed and _fence(key) <= fence])


def _listed(session: Session, job_id: str) -> set[str]:
    rows = session.scalars(select(CheckpointRow.files).where(CheckpointRow.job_id == job_id))
    return {file["path"] for files in rows for file in files}


def _fence(key: str) -> int:
    """Keys are ``jobs/<job>/<fence>/…``."""
    return int(key.split("/")[2])
