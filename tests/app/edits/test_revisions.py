"""Lines of revisions: what leads to the current one, and which checkpoints lie on the way."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from app import checkpoints, curves
from app.db.session import Database
from app.db.tables import CheckpointRow, EditRow, JobRow
from app.edits import repository, revisions
from app.edits.revisions import trace_line
from app.errors import InvalidInput, NotFound, StaleFence
from app.jobs import repository as jobs
from app.jobs import service
from app.jobs.rollback import roll_back
from app.settings import Settings
from app.spec.edits.rollback import Rollback
from tests.app.api.job_factories import create_running_job, record_curve, record_message
from tests.app.edits.test_edits import accept, applied, document, kinds
from workers.host.assignments import build_assignment
from workers.protocol.messages import Ending, Outcome, ProgressReport


def made(revision: int, parent: int, step: int, origin: str = "user") -> EditRow:
    return EditRow(job_id="job_1", number=revision, revision=revision, parent=parent, step=step, origin=origin)


LINEAR = [made(2, 1, 10), made(3, 2, 20)]
BACK = [*LINEAR, made(4, 2, 15, "rollback")]  # to a checkpoint of revision 2
AGAIN = [*BACK, made(5, 4, 30), made(6, 1, 5, "rollback")]


@pytest.mark.parametrize(
    ("current", "rows", "segments"),
    [
        (1, [], [(1, None)]),
        (3, LINEAR, [(3, None), (2, 20), (1, 10)]),
        (4, BACK, [(4, None), (2, 15), (1, 10)]),
        (5, AGAIN, [(5, None), (4, 30), (2, 15), (1, 10)]),
        (6, AGAIN, [(6, None), (1, 5)]),
    ],
)
def test_a_line_leads_back_to_the_spec(current: int, rows: list[EditRow], segments: list[Any]) -> None:
    line = trace_line(current, rows)
    assert [(each.revision, each.until) for each in line.segments] == segments
    assert [row.revision for row in line.edits()] == [revision for revision, _ in reversed(segments) if revision > 1]


@pytest.mark.parametrize(("step", "revision"), [(0, 1), (9, 1), (10, 2), (19, 2), (20, 3), (99, 3)])
def test_a_step_belongs_to_a_revision(step: int, revision: int) -> None:
    assert trace_line(3, LINEAR).revision_at(step) == revision


@pytest.mark.parametrize(
    ("revision", "step", "holds"),
    [(1, 10, True), (1, 11, False), (2, 15, True), (2, 16, False), (3, 15, False), (4, 99, True)],
)
def test_checkpoints_after_a_rollback_are_left_behind(revision: int, step: int, holds: bool) -> None:
    assert trace_line(4, BACK).holds(CheckpointRow(revision=revision, step=step)) is holds


def add_checkpoint(
    database: Database, job: JobRow, step: int, revision: int, loss: float | None = None, **values: Any
) -> str:
    name = f"ckpt_{revision}_{step}"
    files = [{"name": "weights.safetensors", "path": name, "size": 1, "sha256": "x", "public": True}]
    known = {"val/loss": loss} if loss is not None else {}
    database.run(
        checkpoints.add,
        job.id,
        job.fence,
        id=name,
        step=step,
        epoch=1.0,
        values=known,
        files=files,
        revision=revision,
        **values,
    )
    return name


@pytest.fixture
def edited(database: Database) -> JobRow:
    """A running job at revision 3, with checkpoints before and after each edit, and one later."""
    job = create_running_job(database)
    record_curve(database, job, 40)
    for number, step in ((1, 10), (2, 20)):
        accept(database, job.id)
        add_checkpoint(database, job, step, number)
        record_message(database, job, applied(number, step, number + 1))
        add_checkpoint(database, job, step, number + 1)
    add_checkpoint(database, job, 35, 3)
    return job


def names(database: Database, job: JobRow) -> list[str]:
    return database.read(lambda s: [row.id for row in checkpoints.line_checkpoints(s, s.get_one(JobRow, job.id))])


def test_a_job_resumes_on_its_line(database: Database, edited: JobRow) -> None:
    assert names(database, edited) == ["ckpt_3_35", "ckpt_3_20", "ckpt_2_20", "ckpt_2_10", "ckpt_1_10"]
    job = database.read(lambda s: s.get_one(JobRow, edited.id))
    assignment = database.read(build_assignment, job, Settings(), ())
    assert [(ref.id, ref.revision) for ref in assignment.resume_from][:2] == [("ckpt_3_35", 3), ("ckpt_3_20", 3)]
    assert [(edit.number, edit.step, edit.revision) for edit in assignment.edits] == [(1, 10, 2), (2, 20, 3)]
    assert assignment.documents == {2: document(2), 3: document(3)}
    assert assignment.spec == job.spec


def go_back(database: Database, job: JobRow, **where: Any) -> EditRow:
    return database.run(roll_back, "anna", job.id, Rollback.model_validate(where), "")


def test_a_rollback_takes_the_job_from_its_attempt(database: Database, edited: JobRow) -> None:
    accept(database, edited.id)
    row = go_back(database, edited, revision=2)
    assert (row.state, row.origin, row.revision, row.parent, row.step) == ("applied", "rollback", 4, 2, 20)
    job = database.read(lambda s: s.get_one(JobRow, edited.id))
    assert (job.status, job.revision, job.progress["step"]) == ("queued", 4, 20)
    assert database.read(revisions.current_document, job) == document(2)
    assert database.read(repository.find, job.id, 3).state == "withdrawn"
    assert kinds(database, job.id)[-3:] == ["edit_withdrawn", "rolled_back", "status"]
    points = database.read(curves.read_points, job.id, "train/loss")
    assert points["step"].max() == 20
    with pytest.raises(StaleFence):
        record_message(database, edited, ProgressReport(phase="training"))
    claimed = database.run(jobs.claim, [job.queue], "w2", 30.0)
    assert claimed is not None
    assert claimed.fence == edited.fence + 1
    assignment = database.read(build_assignment, claimed, Settings(), ())
    assert [ref.id for ref in assignment.resume_from] == ["ckpt_2_20", "ckpt_2_10", "ckpt_1_10"]
    assert [(edit.number, edit.step, edit.revision, len(edit.operations)) for edit in assignment.edits] == [
        (1, 10, 2, 1),
        (row.number, 20, 4, 0),
    ]
    assert names(database, edited)[0] == "ckpt_2_20"
    record_message(database, claimed, applied(row.number, 20, 4))  # which it says too


def test_a_rollback_can_be_taken_back(database: Database, edited: JobRow) -> None:
    go_back(database, edited, revision=1, step=10)
    assert names(database, edited) == ["ckpt_1_10"]
    go_back(database, edited, revision=3)
    assert names(database, edited)[0] == "ckpt_3_35"


@pytest.mark.parametrize(
    ("where", "place", "hint"),
    [({"revision": 4}, "/revision", "1 to 3"), ({"revision": 3, "step": 21}, "/step", "35, 20")],
)
def test_where_there_is_no_checkpoint(database: Database, edited: JobRow, where: Any, place: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        go_back(database, edited, **where)
    assert caught.value.pointer == place
    assert hint in caught.value.hint
    assert database.read(lambda s: s.get_one(JobRow, edited.id)).revision == 3


def test_a_paused_job_stays_paused(database: Database, edited: JobRow) -> None:
    database.run(service.pause, "anna", edited.id)
    record_message(database, edited, Outcome(Ending.PAUSED))
    go_back(database, edited, revision=1)
    assert database.read(lambda s: s.get_one(JobRow, edited.id)).status == "paused"


def test_a_pause_that_was_requested_comes_true(database: Database, edited: JobRow) -> None:
    database.run(service.pause, "anna", edited.id)
    go_back(database, edited, revision=1)
    job = database.read(lambda s: s.get_one(JobRow, edited.id))
    assert (job.status, job.wish) == ("paused", None)


def prunable(database: Database, job: JobRow, keep_last: int = 1, keep_best: int = 1) -> set[str]:
    rows = database.read(checkpoints.prunable_checkpoints, job.id, keep_last, keep_best, "val/loss", "min")
    return {row.id for row in rows}


def test_every_late_revision_keeps_its_newest_checkpoint(
    database: Database, edited: JobRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prunable(database, edited) == {"ckpt_3_20", "ckpt_2_10"}
    monkeypatch.setattr(checkpoints, "KEPT_REVISIONS", 1)
    assert prunable(database, edited) == {"ckpt_3_20", "ckpt_2_20", "ckpt_2_10", "ckpt_1_10"}
    go_back(database, edited, revision=2, step=10)  # what it goes back to stays
    assert "ckpt_2_10" not in prunable(database, edited)


def test_the_best_is_of_the_current_network(database: Database, edited: JobRow) -> None:
    add_checkpoint(database, edited, 15, 2, 0.1)  # of another network
    add_checkpoint(database, edited, 30, 3, 0.3)
    add_checkpoint(database, edited, 36, 3, 0.4)
    best = database.read(checkpoints.best_or_latest, edited.id, "val/loss", "min")
    assert best is not None
    assert best.id == "ckpt_3_30"
    assert not {"ckpt_3_30", "ckpt_2_15"} & prunable(database, edited)


def test_a_revision_that_does_not_exist(database: Database, edited: JobRow) -> None:
    def unit(session: Session) -> object:
        return revisions.document_at(session, session.get_one(JobRow, edited.id), 4)

    with pytest.raises(NotFound):
        database.read(unit)
