"""A round of power cuts: a service at work on a recorded disk, cut at many places, and started on what is left."""

import random
import shutil
from contextlib import suppress
from pathlib import Path

from app.jobs.states import TERMINAL_STATUSES
from app.storage.local import LocalStore
from tests.acceptance.service import wait_until
from tests.faults import history as histories
from tests.faults.campaign import TIMEOUT_SECONDS, Round
from tests.faults.deployment import Deployment
from tests.faults.history import History
from tests.faults.invariants import find_violations
from tests.faults.power.cuts import OUTCOMES, choose_positions, cut, find_missed_changes
from tests.faults.power.disk import Disk
from tests.faults.power.recording import Recording, open_database
from tests.faults.power.verdict import find_losses

CUTS, RESTARTS = 40, 3  # of a round


def power_cuts(here: Round) -> None:
    """A service of its own works on a recorded disk; the power fails at forty places, and three times it goes on."""
    folder = here.deployment.folder / f"power-{here.number}"
    folder.mkdir()
    try:
        recording = record(folder)
        wrong = losses(recording, here.random, CUTS)
        for number in range(RESTARTS):
            wrong += violations_after_restart(recording, here.random, folder / f"restart-{number}")
        here.figures |= {"power_cuts": CUTS + len(recording.acknowledged), "restarts": RESTARTS}
        assert not wrong, "; ".join(wrong)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def record(folder: Path) -> Recording:
    """Let a service work in a folder. Raises `AssertionError` if something was written that the log does not have."""
    recording = Recording(folder)
    recording.make()
    missed = find_missed_changes(recording.log, folder, "home")
    assert not missed, f"changed without a record: {missed}"
    return recording


def losses(recording: Recording, chance: random.Random, count: int) -> list[str]:
    """Return what is lost or damaged at `count` places by chance, and after each acknowledgement."""
    due = [told.position for told in recording.acknowledged]
    positions = choose_positions(recording.log, count, chance, due)
    return [
        f"cut at {position}, {outcome} survived: {wrong}"
        for position, outcome, left in cut(recording.log, positions, chance, recording.folder)
        for wrong in find_losses(left / "home", position, recording.acknowledged)
    ]


def violations_after_restart(recording: Recording, chance: random.Random, folder: Path) -> list[str]:
    """Start a service on what a cut during the training left; return what is wrong when its jobs have ended."""
    told = {each.id: each.position for each in recording.acknowledged if each.kind == "job"}
    ends = [each.position for each in recording.acknowledged if each.kind == "ended"]
    position, outcome = chance.randint(max(told.values()), max(ends)), chance.choice(sorted(OUTCOMES))
    folder.mkdir()
    Disk(recording.log).play(position).write(folder / "disk", OUTCOMES[outcome](chance))
    home = folder / "disk" / "home"
    with Deployment(folder, home=home) as here:
        for job_id in told:
            with suppress(AssertionError):  # I1 says so
                wait_until(lambda job_id=job_id: _has_ended(here, job_id), "the end", TIMEOUT_SECONDS)
    db = open_database(home)
    found = {job_id: record for job_id in told if (record := db.read(histories.read_job, job_id)) is not None}
    db.close()
    wrong = find_violations(History(recording.jobs, found, recording.golden, LocalStore(home / "artifacts")))
    return [f"restarted after a cut at {position}, {outcome} survived: {each}" for each in wrong]


def _has_ended(here: Deployment, job_id: str) -> bool:
    record = here.db.read(histories.read_job, job_id)
    return record is None or record.status in TERMINAL_STATUSES
