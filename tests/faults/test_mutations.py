"""The campaign bites: every mistake that is made on purpose is found, and nothing else is."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.db.session import Database
from tests.faults.edit_mutations import EDIT_MUTATIONS
from tests.faults.edit_scenarios import EDIT_SCENARIOS, record_golden_edits
from tests.faults.history import GoldenRun
from tests.faults.in_process_service import InProcessService, record_golden_run
from tests.faults.invariants import INVARIANTS
from tests.faults.mutations import MUTATIONS
from tests.faults.scenarios import SCENARIOS
from workers.training.metrics import recorder

ALL = {**MUTATIONS, **EDIT_MUTATIONS}
Stage = Callable[[], InProcessService]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is reported by itself, and what is synced is noted."""
    monkeypatch.setattr(recorder, "REPORT_INTERVAL_SECONDS", 0.0)


@pytest.fixture
def stage(migrated_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Makes services, each with a database of its own."""
    opened: list[Database] = []

    def make() -> InProcessService:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        (folder / "graftwerk.db").write_bytes(migrated_file.read_bytes())
        opened.append(Database(f"sqlite:///{folder / 'graftwerk.db'}"))
        here = InProcessService(opened[-1], folder)
        monkeypatch.setattr(os, "fsync", lambda descriptor: here.synced.add(os.fstat(descriptor).st_ino))
        return here

    yield make
    for database in opened:
        database.close()


@pytest.fixture(scope="module")
def measure() -> dict[str, GoldenRun]:
    """The golden run, once it has been made."""
    return {}


def golden(stage: Stage, measure: dict[str, GoldenRun]) -> dict[str, GoldenRun]:
    if not measure:
        measure["miniature"] = record_golden_run(stage())
        measure |= record_golden_edits(stage)
    return measure


@pytest.mark.parametrize("played", [*SCENARIOS, *EDIT_SCENARIOS], ids=lambda played: played.__name__)
def test_without_a_bug_nothing_is_wrong(
    played: Callable[[InProcessService], None], stage: Stage, measure: dict[str, GoldenRun]
) -> None:
    expected = golden(stage, measure)
    with stage() as here:
        here.golden = expected
        played(here)
        assert not here.faults, "the fault did not happen"
        assert here.violations() == []


@pytest.mark.parametrize("name", ALL)
def test_a_bug_is_found(
    name: str, stage: Stage, measure: dict[str, GoldenRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    bug = ALL[name]
    expected = {} if bug.reaches_training else golden(stage, measure)
    here = stage()
    bug.apply(monkeypatch.setattr)
    here.golden = {"miniature": record_golden_run(stage())} if bug.reaches_training else expected
    with here:
        bug.scenario(here)
        found = {violation.partition(" ")[0] for violation in here.violations()}
    assert found >= set(bug.detected_by), here.violations()


def test_every_invariant_catches_something() -> None:
    assert {name for bug in ALL.values() for name in bug.detected_by} == INVARIANTS.keys()
