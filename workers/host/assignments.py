"""Builds the assignment of an attempt from its claimed job, and sends it the edits that are accepted later."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict

from sqlalchemy.orm import Session

from app import checkpoints
from app.datasets import lookup, references
from app.db.session import Database
from app.db.tables import CheckpointRow, EditRow, JobRow
from app.edits import repository as edits
from app.edits import revisions
from app.faultpoints import faultpoint
from app.settings import Settings
from workers.protocol.assignment import Assignment, CheckpointRef, DatasetRef, EditRef
from workers.protocol.messages import Command
from workers.runner.memory import attempt_memory

Send = Callable[[Command], None]


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
        start_document=checkpoints.find_document(session, job.owner, start.id) if start is not None else None,
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
        row.expect_revision,
    )


def _dataset_ref(session: Session, owner: str, dataset_id: str) -> DatasetRef:
    row = lookup.find(session, owner, dataset_id)
    return DatasetRef(row.source, row.path)


def _checkpoint_ref(row: CheckpointRow) -> CheckpointRef:
    return CheckpointRef(row.id, row.step, tuple(row.files), dict(row.values), row.revision)


class EditSender:
    """Sends each edit of a job once, in their order; `changes` counts the changes that the attempt knows of."""

    def __init__(self, db: Database, job_id: str, changes: int) -> None:
        self._db, self._job_id, self._changes = db, job_id, changes
        self._sent: set[int | None] = set()
        self._withdrawn: set[int | None] = set()

    def assign(self, edits: Iterable[EditRef]) -> None:
        """Note the edits that the attempt begins with."""
        self._sent.update(edit.number for edit in edits)

    def poll(self, changes: int, send: Send) -> None:
        """Send what is new if the edits have changed. Raises `Unavailable`."""
        if changes == self._changes:
            return
        pending = self._db.read(self._pending)
        with suppress(OSError):  # an attempt that has died gets them with its next assignment
            for ref, _ in pending:
                if ref.number not in self._sent:  # what is withdrawn already, too: only the attempt gives up an edit
                    self._sent.add(ref.number)
                    faultpoint("edit_found")
                    send(Command("edit", asdict(ref)))
            for ref, withdraw in reversed(pending):  # the last one first: none is applied without the one before it
                if withdraw and ref.number not in self._withdrawn:
                    self._withdrawn.add(ref.number)
                    send(Command("withdraw", {"number": ref.number}))
        self._changes = changes

    def _pending(self, session: Session) -> list[tuple[EditRef, bool]]:
        return [(edit_ref(row), row.withdraw_requested) for row in edits.pending(session, self._job_id)]
