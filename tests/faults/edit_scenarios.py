"""Short histories of edited jobs in one process, each with its faults, and the run that nobody disturbed."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from app.db.tables import JobRow
from app.edits import acceptance
from app.edits.acceptance import SubmittedEdit
from app.faultpoints import disarmed
from app.jobs.rollback import roll_back
from app.spec.edits.edit import parse_edit
from app.spec.edits.rollback import Rollback
from tests.faults import history as histories
from tests.faults.history import GoldenRun
from tests.faults.in_process_service import OWNER, SPEC, InProcessService, ProcessKilled

LAYERS = [
    {"kind": "Flatten", "id": "flat"},
    {"kind": "Dropout", "id": "drop", "p": 0.2},
    {"kind": "Linear", "id": "head", "out_features": 10},
]
EDITED: dict[str, Any] = SPEC | {"name": "edited", "model": {"layers": LAYERS}}
PLAIN: dict[str, Any] = EDITED | {"name": "plain"}  # the same without edits
FIRST_STEP, SECOND_STEP = 7, 13
SCRIPT: tuple[dict[str, Any], ...] = (
    {
        "at": {"step": FIRST_STEP},
        "operations": [{"op": "insert", "after": "drop", "node": {"kind": "Linear", "id": "new", "out_features": 64}}],
    },
    {
        "at": {"step": SECOND_STEP},
        "operations": [
            {"op": "set", "path": "model.drop.p", "value": 0.1},
            {"op": "insert", "after": "new", "node": {"kind": "Tanh", "id": "act"}},
        ],
    },
)


def accept(here: InProcessService, job_id: str, document: dict[str, Any]) -> None:
    """Accept an edit as the API does, but for the inspection of what it makes."""

    def unit(session: Session) -> None:
        job = session.get_one(JobRow, job_id, with_for_update=True, populate_existing=True)
        submitted = SubmittedEdit(parse_edit(document), document)
        ground = acceptance.find_ground(session, job, submitted.edit)
        acceptance.accept(session, job, submitted, ground, {}, "key_1")

    here.db.run(unit)


def submit_edited(here: InProcessService, spec: dict[str, Any] = EDITED) -> str:
    """Submit a job, and its edits before it runs."""
    job_id = here.submit(spec=spec)
    with disarmed():
        for edit in SCRIPT:
            accept(here, job_id, edit)
    return job_id


def record_golden_edits(make: Callable[[], InProcessService]) -> dict[str, GoldenRun]:
    """Return the golden runs of the edited job, and of the same without edits."""
    golden = {}
    for spec, begin in ((EDITED, submit_edited), (PLAIN, lambda here: here.submit(spec=PLAIN))):
        with make() as here:
            job_id = begin(here)
            here.attempt()
            record = here.db.read(histories.read_job, job_id)
            assert record is not None
            golden[str(spec["name"])] = histories.golden_run(record)
    return golden


def killed_after_edit(here: InProcessService) -> None:
    """An attempt dies some steps after an edit, and later after the other one."""
    submit_edited(here)
    here.inject("mid_step", FIRST_STEP + 2)
    here.inject("mid_step", SECOND_STEP + 6)
    here.finish()


def killed_while_applying(here: InProcessService) -> None:
    """An attempt dies with the edited network built, before anybody knows."""
    submit_edited(here)
    here.inject("edit_built", 1)
    here.finish()


def killed_before_record(here: InProcessService) -> None:
    """A worker dies with the message that an edit was applied."""
    submit_edited(here)
    here.inject("edit_applied", 1)
    here.finish()


def killed_after_record(here: InProcessService) -> None:
    """A worker dies with an edit recorded, and without a checkpoint of its revision."""
    submit_edited(here)
    here.inject("edit_recorded", 1)
    here.inject("edit_recorded", 3)
    here.finish()


def killed_before_checkpoint(here: InProcessService) -> None:
    """An attempt dies when an edit is reported, before its own checkpoint."""
    submit_edited(here)
    here.inject("edit_reported", 2)
    here.finish()


def rolled_back(here: InProcessService) -> None:
    """A job goes back behind its edits while it trains: it ends as if there had been none."""
    job_id = submit_edited(here, PLAIN)
    here.inject("mid_step", SECOND_STEP + 4, lambda: _go_back(here, job_id))
    here.finish()


def rolled_back_and_killed(here: InProcessService) -> None:
    """The attempt after a rollback dies before it has a checkpoint of its own."""
    job_id = submit_edited(here, PLAIN)
    here.inject("mid_step", FIRST_STEP + 4, lambda: _go_back(here, job_id))
    here.inject("mid_step", FIRST_STEP + 6)
    here.finish()


def _go_back(here: InProcessService, job_id: str) -> None:
    with disarmed():
        here.db.run(roll_back, OWNER, job_id, Rollback(revision=1), "key_1")
    raise ProcessKilled


EDIT_SCENARIOS = (
    killed_after_edit,
    killed_while_applying,
    killed_before_record,
    killed_after_record,
    killed_before_checkpoint,
    rolled_back,
    rolled_back_and_killed,
)
