"""Builds the assignment of an attempt from its claimed job."""

from sqlalchemy.orm import Session

from app import checkpoints
from app.datasets import lookup, references
from app.db.tables import CheckpointRow, EditRow, JobRow
from app.edits import repository as edits
from app.edits import revisions
from app.settings import Settings
from workers.protocol.assignment import Assignment, CheckpointRef, DatasetRef, EditRef
from workers.runner.memory import attempt_memory


def build_assignment(session: Session, job: JobRow, settings: Settings, gpus: tuple[int, ...]) -> Assignment:
    """Return everything the attempt needs. Raises `NotFound` if a data set or checkpoint that it names is gone."""
    listed = checkpoints.line_checkpoints(session, job)  # newest first; the older ones in case it is damaged
    start_id = (job.spec.get("start_from") or {}).get("checkpoint")
    start = checkpoints.find(session, job.owner, start_id) if start_id and not listed else None
    dataset_ids = references.referenced_datasets(job.spec)
    datasets = {pointer: _dataset_ref(session, job.owner, dataset_id) for pointer, dataset_id in dataset_ids.items()}
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
        memory=attempt_memory(settings.attempt_memory, settings.resolved_slots),
        gpus=gpus,
        dataset=datasets.get(references.DATA_POINTER),
        weights=datasets.get(references.START_POINTER),
        word_vectors={
            dataset_ids[pointer]: dataset
            for pointer, dataset in datasets.items()
            if pointer not in (references.DATA_POINTER, references.START_POINTER)
        },
        resume_from=tuple(map(_checkpoint_ref, listed)),
        start_from=_checkpoint_ref(start) if start is not None else None,
        edits=(*map(edit_ref, revisions.current_line(session, job).edits()), *pending_edits(session, job.id)),
        documents={
            revision: revisions.document_at(session, job, revision)
            for revision in sorted({row.revision for row in listed} - {revisions.FIRST_REVISION})
        },
    )


def pending_edits(session: Session, job_id: str) -> list[EditRef]:
    """Return the edits that wait for their moment, and that nobody wants to withdraw."""
    return [edit_ref(row) for row in edits.pending(session, job_id) if not row.withdraw_requested]


def edit_ref(row: EditRow) -> EditRef:
    """Return an edit as an attempt gets it."""
    return EditRef(
        row.number,
        tuple(row.operations),
        row.at,
        row.step,
        row.revision,
        {int(place): tuple(chosen) for place, chosen in (row.choices or {}).items()},
        row.rule,
        row.firing or 0,
    )


def _dataset_ref(session: Session, owner: str, dataset_id: str) -> DatasetRef:
    row = lookup.find(session, owner, dataset_id)
    return DatasetRef(row.source, row.path)


def _checkpoint_ref(row: CheckpointRow) -> CheckpointRef:
    return CheckpointRef(row.id, row.step, tuple(row.files), dict(row.values), row.revision)
