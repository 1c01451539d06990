"""The campaign bites: every mistake that is made on purpose is found, and nothing else is."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.db.session import Database
from tests.faults.bugs import BUGS
from tests.faults.history import Golden
from tests.faults.invariants import INVARIANTS
from tests.faults.miniature import Miniature, undisturbed
from tests.faults.rounds import ROUNDS
from workers.training.metrics import recorder

Stage = Callable[[], Miniature]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is reported by itself, and what is synced is noted."""
    monkeypatch.setattr(recorder, "SECONDS", 0.0)


@pytest.fixture
def stage(migrated_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Makes services, each with a database of its own."""
    opened: list[Database] = []

    def make() -> Miniature:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        (folder / "graftwerk.db").write_bytes(migrated_file.read_bytes())
        opened.append(Database(f"sqlite:///{folder / 'graftwerk.db'}"))
        here = Miniature(opened[-1], folder)
        monkeypatch.setattr(os, "fsync", lambda descriptor: here.synced.add(os.fstat(descriptor).st_ino))
        return here

    yield make
    for database in opened:
        database.close()


@pytest.fixture(scope="module")
def measure() -> dict[str, Golden]:
    """The golden run, once it has been made."""
    return {}


def golden(stage: Stage, measure: dict[str, Golden]) -> dict[str, Golden]:
    if not measure:
        measure["miniature"] = undisturbed(stage())
    return measure


@pytest.mark.parametrize("played", ROUNDS, ids=lambda played: played.__name__)
def test_without_a_bug_nothing_is_wrong(
    played: Callable[[Miniature], None], stage: Stage, measure: dict[str, Golden]
) -> None:
    expected = golden(stage, measure)
    with stage() as here:
        here.golden = expected
        played(here)
        assert not here.faults, "the fault did not happen"
        assert here.violations() == []


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_found(name: str, stage: Stage, measure: dict[str, Golden], monkeypatch: pytest.MonkeyPatch) -> None:
    bug = BUGS[name]
    expected = {} if bug.trains else golden(stage, measure)
    here = stage()
    bug.make(monkeypatch.setattr)
    here.golden = {"miniature": undisturbed(stage())} if bug.trains else expected
    with here:
        bug.round(here)
        found = {told.partition(" ")[0] for told in here.violations()}
    assert found >= set(bug.caught), here.violations()


def test_every_invariant_catches_something() -> None:
    assert {name for bug in BUGS.values() for name in bug.caught} == INVARIANTS.keys()
