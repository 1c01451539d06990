"""From a claimed job to the assignment of its attempt."""

from sqlalchemy.orm import Session

from app import checkpoints
from app.datasets import registry
from app.db.tables import CheckpointRow, JobRow
from app.settings import Settings
from workers.protocol.assignment import Assignment, CheckpointRef, DatasetRef


def build_assignment(session: Session, job: JobRow, settings: Settings, gpu: int | None) -> Assignment:
    """Return everything the attempt needs; raises `NotFound` when its data set, or what it starts from, is gone."""
    listed = checkpoints.list_checkpoints(session, job.id)  # newest first: older ones in case it does not verify
    asked = (job.spec.get("start_from") or {}).get("checkpoint")
    begun = checkpoints.find(session, job.owner, asked) if asked and not listed else None
    named = registry.referenced_datasets(job.spec)
    registered = {place: _dataset_ref(session, job.owner, dataset_id) for place, dataset_id in named.items()}
    return Assignment(
        job_id=job.id,
        fence=job.fence,
        spec=job.spec,
        data_schema=job.data_schema,
        store_url=settings.resolved_artifact_url,
        store_options=settings.store_options,
        data_root=str(settings.resolved_data_root),
        allow_downloads=settings.allow_downloads,
        log_json=settings.log_json,
        threads=settings.threads,
        loaders=settings.resolved_loaders,
        resident_limit=settings.resident_limit,
        gpu=gpu,
        dataset=registered.get(registry.DATA_POINTER),
        weights=registered.get(registry.START_POINTER),
        word_vectors={
            named[place]: each
            for place, each in registered.items()
            if place not in (registry.DATA_POINTER, registry.START_POINTER)
        },
        resume_from=tuple(map(_checkpoint_ref, listed)),
        start_from=_checkpoint_ref(begun) if begun is not None else None,
    )


def _dataset_ref(session: Session, owner: str, dataset_id: str) -> DatasetRef:
    row = registry.find(session, owner, dataset_id)
    return DatasetRef(row.source, row.path)


def _checkpoint_ref(row: CheckpointRow) -> CheckpointRef:
    return CheckpointRef(row.id, row.step, tuple(row.files))
