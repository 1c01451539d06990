"""Edits as rows: how they end, on both databases."""

from typing import Any

import numpy as np
import pytest
from sqlalchemy.orm import Session

from app import curves, events
from app.db.session import Database
from app.db.tables import EditRow, JobRow
from app.edits import acceptance, outcomes, repository, revisions
from app.edits.acceptance import GroundChanged, SubmittedEdit
from app.edits.order import length_problems
from app.edits.outcomes import EditDiverged
from app.edits.states import EditState
from app.errors import InvalidInput, InvalidState, StaleFence
from app.jobs import service
from app.settings import Settings
from app.spec.edits.edit import parse_edit
from tests.app.api.job_factories import SPEC, create_queued_job, create_running_job, finish_job, record_message
from workers.host.assignments import build_assignment
from workers.host.persist import record
from workers.protocol.messages import EditApplied, EditRejected, EditWithdrawn, Ending, Outcome

REMOVE = {"operations": [{"op": "remove", "node": "relu"}]}


def accept(database: Database, job_id: str, document: Any = REMOVE) -> int:
    """Accept an edit as the API does; returns its number."""

    def unit(session: Session) -> int:
        job = session.get_one(JobRow, job_id)
        submitted = SubmittedEdit(parse_edit(document), document)
        ground = acceptance.find_ground(session, job, submitted.edit)
        return acceptance.accept(session, job, submitted, ground, {}, "").number

    return database.run(unit)


def find(database: Database, job_id: str, number: int) -> EditRow:
    return database.read(repository.find, job_id, number)


def kinds(database: Database, job_id: str) -> list[str]:
    return [row.kind for row in database.read(events.list_events, job_id, 0, 100)]


def document(revision: int) -> dict[str, Any]:
    """Return the spec of a revision."""
    return SPEC | {"model": {"layers": [{"kind": "Linear", "out_features": 3, "id": f"fc{revision}"}]}}


def applied(number: int | None, step: int, revision: int, **values: Any) -> EditApplied:
    return EditApplied(number, step, revision, document(revision), **values)


def test_an_applied_edit_makes_a_revision_once(database: Database) -> None:
    job = create_running_job(database)
    assert accept(database, job.id) == 1
    for _ in range(2):  # an attempt that resumed from before it says so again
        record_message(database, job, applied(1, 10, 2, choices={0: (1, 3)}))
    row = find(database, job.id, 1)
    assert (row.state, row.step, row.revision, row.parent, row.choices) == ("applied", 10, 2, 1, {"0": [1, 3]})
    assert kinds(database, job.id).count("edit_applied") == 1
    again = database.read(lambda session: session.get_one(JobRow, job.id))
    assert again.revision == 2
    assert database.read(revisions.current_document, again) == document(2)
    assert database.read(revisions.document_at, again, 1) == job.spec
    with pytest.raises(EditDiverged):
        record_message(database, job, applied(1, 11, 2))


def test_a_superseded_attempt_applies_nothing(database: Database) -> None:
    job = create_running_job(database)
    accept(database, job.id)
    record_message(database, job, Outcome(Ending.RELEASED))
    with pytest.raises(StaleFence):
        database.run(record, job.fence, EditApplied(1, 10, 2, {}, job_id=job.id), Settings())
    assert find(database, job.id, 1).state == EditState.ACCEPTED


def test_a_rejected_edit_changes_nothing(database: Database) -> None:
    job = create_running_job(database)
    accept(database, job.id)
    problem = {"pointer": "/operations/0", "code": "out_of_memory", "detail": "no room", "hint": ""}
    for _ in range(2):
        record_message(database, job, EditRejected(1, (problem,), 10))
    assert (find(database, job.id, 1).state, find(database, job.id, 1).problems) == ("rejected", [problem])
    assert database.read(lambda session: session.get_one(JobRow, job.id)).revision == 1
    assert kinds(database, job.id).count("edit_rejected") == 1


def test_a_plan_numbers_its_edits_once(database: Database) -> None:
    job = create_running_job(database)
    operations = ({"op": "remove", "node": "relu"},)
    for _ in range(2):
        record_message(database, job, applied(None, 10, 2, operations=operations, rule=0, firing=1))
    record_message(database, job, applied(None, 20, 3, operations=operations, rule=0, firing=2))
    for _ in range(2):
        record_message(database, job, EditRejected(None, ({"code": "x"},), 30, operations, rule=0, firing=3))
    rows = database.read(repository.page, job.id, 0, 10)
    assert [(row.number, row.origin, row.state, row.firing) for row in rows] == [
        (1, "plan", "applied", 1),
        (2, "plan", "applied", 2),
        (3, "plan", "rejected", 3),
    ]
    assert all(row.operations == list(operations) for row in rows)


def test_rules_that_have_made_all_their_edits_are_spent(database: Database) -> None:
    operations = [{"op": "scale", "path": "training.optimizer.lr", "by": 0.5}]
    rules = [{"every": {"steps": 5}, "operations": operations}, {"at": {"step": 5}, "operations": operations}]
    job = create_running_job(database, spec=SPEC | {"training": {"edits": rules}})
    edit = parse_edit(REMOVE)

    def spent_rules(session: Session) -> tuple[int, ...]:
        return acceptance.find_ground(session, session.get_one(JobRow, job.id), edit).spent_rules

    assert database.read(spent_rules) == ()
    made = document(2) | {"training": {"edits": rules}}
    for rule in (0, 1):
        message = EditApplied(None, 5, rule + 2, made, operations=tuple(operations), rule=rule, firing=1)
        record_message(database, job, message)
    assert database.read(spent_rules) == (1,)


def test_withdrawing_waits_for_the_attempt(database: Database) -> None:
    job = create_running_job(database)
    accept(database, job.id)
    database.run(lambda session: outcomes.withdraw(session, session.get_one(JobRow, job.id), 1))
    assert (find(database, job.id, 1).state, find(database, job.id, 1).withdraw_requested) == ("accepted", True)
    record_message(database, job, EditWithdrawn(1))
    assert find(database, job.id, 1).state == EditState.WITHDRAWN


def test_nothing_is_accepted_behind_an_edit_that_is_being_withdrawn(database: Database) -> None:
    job = create_running_job(database)
    accept(database, job.id)
    database.run(lambda session: outcomes.withdraw(session, session.get_one(JobRow, job.id), 1))
    with pytest.raises(GroundChanged, match="edit 1 is being withdrawn"):
        accept(database, job.id)
    record_message(database, job, EditWithdrawn(1))
    assert accept(database, job.id) == 2


def test_a_condition_follows_what_evaluations_give(database: Database) -> None:
    job = create_running_job(database)
    for name in ("train/loss", "train/lr", "val/flow/steps"):
        database.run(curves.append, job.id, {name: np.zeros(1, curves.POINT_DTYPE)})
    when = {"metric": "train/lr", "below": 1}
    with pytest.raises(InvalidInput) as refused:
        accept(database, job.id, REMOVE | {"at": {"when": when}})
    [problem] = refused.value.problems
    assert (problem.pointer, problem.code) == ("/at/when/metric", "unknown_series")
    series = problem.hint.partition("series: ")[2].split(", ")
    assert len(series) == len(set(series))
    assert "train/lr" not in series
    assert accept(database, job.id, REMOVE | {"at": {"when": when | {"metric": "train/loss"}}}) == 1


def test_a_job_that_has_not_run_knows_its_end(database: Database) -> None:
    job = create_running_job(database, spec=SPEC | {"training": {"steps": 100}})
    with pytest.raises(InvalidInput, match="never begins"):
        accept(database, job.id, REMOVE | {"at": {"step": 100}})
    assert accept(database, job.id, REMOVE | {"at": {"step": 99}}) == 1


@pytest.mark.parametrize(
    ("path", "value", "at", "refused"),
    [
        ("steps", 99, "now", True),
        ("steps", 100, "now", False),
        ("steps", 150, {"step": 200}, True),
        ("epochs", 9, "now", True),
        ("epochs", 10, "now", False),
        ("epochs", 15, {"epoch": 20}, True),
    ],
)
def test_a_length_that_has_passed_is_refused(path: str, value: int, at: Any, refused: bool) -> None:
    operation = {"op": "set", "path": f"training.{path}", "value": value}
    edit = parse_edit({"at": at, "operations": [REMOVE["operations"][0], operation]})
    problems = length_problems(edit, {"step": 100, "epoch": 9.5})
    assert [problem.pointer for problem in problems] == ["/operations/1/value"] * refused


def test_an_attempt_that_was_faster_has_applied_it(database: Database) -> None:
    job = create_running_job(database)
    accept(database, job.id)
    database.run(lambda session: outcomes.withdraw(session, session.get_one(JobRow, job.id), 1))
    record_message(database, job, applied(1, 10, 2))
    assert find(database, job.id, 1).state == EditState.APPLIED
    with pytest.raises(InvalidState):
        database.run(lambda session: outcomes.withdraw(session, session.get_one(JobRow, job.id), 1))


@pytest.mark.parametrize("ending", [Ending.RELEASED, Ending.LOST])
def test_without_an_attempt_the_wish_comes_true(database: Database, ending: Ending) -> None:
    job = create_running_job(database)
    accept(database, job.id)
    later = accept(database, job.id)
    database.run(lambda session: outcomes.withdraw(session, session.get_one(JobRow, job.id), later))
    error = {"code": "runner_died", "message": "gone", "pointer": "", "retryable": True}
    record_message(database, job, Outcome(ending, error=error))
    assert [find(database, job.id, number).state for number in (1, later)] == ["accepted", "withdrawn"]


@pytest.mark.parametrize("ending", [Ending.SUCCEEDED, Ending.FAILED, Ending.CANCELLED])
def test_what_waits_at_the_end_is_rejected(database: Database, ending: Ending) -> None:
    job = create_running_job(database)
    accept(database, job.id)
    finish_job(database, job, ending)
    row = find(database, job.id, 1)
    assert row.state == EditState.REJECTED
    assert row.problems is not None
    assert row.problems[0]["code"] == "job_ended"


def test_a_waiting_job_keeps_its_edits(database: Database) -> None:
    job_id = create_queued_job(database)
    accept(database, job_id, REMOVE | {"at": {"step": 5}})
    job = database.read(lambda session: session.get_one(JobRow, job_id))
    assignment = database.read(build_assignment, job, Settings(), ())
    assert [(edit.number, edit.at, edit.step) for edit in assignment.edits] == [(1, {"step": 5}, None)]
    database.run(service.cancel, "anna", job_id)
    assert find(database, job_id, 1).state == EditState.REJECTED


def test_an_edit_that_came_in_between_is_noticed(database: Database) -> None:
    job = create_running_job(database)
    submitted = SubmittedEdit(parse_edit(REMOVE), REMOVE)
    ground = database.read(lambda s: acceptance.find_ground(s, s.get_one(JobRow, job.id), submitted.edit))
    accept(database, job.id)
    with pytest.raises(GroundChanged):
        database.run(lambda s: acceptance.accept(s, s.get_one(JobRow, job.id), submitted, ground, {}, ""))
    assert len(database.read(repository.pending, job.id)) == 1


def test_a_plan_goes_back_within_its_line(database: Database) -> None:
    """A rule that returns to a checkpoint before an edit begins its revision there."""
    job = create_running_job(database)
    accept(database, job.id)
    record_message(database, job, applied(1, 100, 2))
    record_message(database, job, applied(None, 90, 3, rule=0, firing=1))
    row = find(database, job.id, 2)
    assert (row.revision, row.parent, row.step) == (3, 1, 90)
    line = database.read(lambda s: revisions.current_line(s, s.get_one(JobRow, job.id)))
    assert [segment.revision for segment in line.segments] == [3, 1]
