"""Mistakes about edits, to be made on purpose; see `tests.faults.mutations`."""

from collections.abc import Mapping
from typing import Any

from app import curves
from app.db.tables import EditRow
from app.edits import outcomes, revisions
from app.jobs import rollback
from tests.faults import edit_scenarios as scenarios
from tests.faults.mutations import Mutation, SetAttribute
from workers.host import assignments
from workers.protocol.assignment import EditRef


def _recorded_again(patch: SetAttribute) -> None:
    real = outcomes.record_applied

    def record_applied(session: Any, job: Any, number: int, applied: Any) -> None:
        row = outcomes.repository.find(session, job.id, number)
        if row.state == outcomes.EditState.APPLIED:
            outcomes._advance(session, job, row, applied)
        else:
            real(session, job, number, applied)

    patch(outcomes, "record_applied", record_applied)


def _edits_forgotten(patch: SetAttribute) -> None:
    patch(assignments, "edit_ref", _pending_alone)


def _pending_alone(row: EditRow) -> EditRef:
    """Return an applied edit as one that waits for the next step."""
    return EditRef(row.number, tuple(row.operations), "now" if row.step is not None else row.at)


def _document_of_the_spec(patch: SetAttribute) -> None:
    patch(revisions, "document_at", lambda session, job, revision: job.spec)


def _weights_drawn_anew(patch: SetAttribute) -> None:
    from workers.training.edits import editing

    patch(editing, "_edit_key", lambda edit: edit.number if edit.revision is None else 99)


def _points_kept_by_rollback(patch: SetAttribute) -> None:
    patch(curves, "rewind", lambda session, job_id, after_step: None)
    patch(rollback.curves, "rewind", lambda session, job_id, after_step: None)


EDIT_MUTATIONS: Mapping[str, Mutation] = {
    "records an edit twice": Mutation(_recorded_again, scenarios.killed_after_record, ("I10",)),
    "applies an edit again at the next step": Mutation(_edits_forgotten, scenarios.killed_after_record, ("I1",)),
    "resumes a revision with the spec": Mutation(_document_of_the_spec, scenarios.killed_after_edit, ("I1",)),
    "draws other weights when an edit is repeated": Mutation(
        _weights_drawn_anew, scenarios.killed_after_record, ("I4", "I5")
    ),
    "keeps points after a rollback": Mutation(_points_kept_by_rollback, scenarios.rolled_back, ("I4",)),
}
