"""What must survive a power cut does: the programs that write files, cut everywhere. And a careless one is caught."""

import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.power.cuts import choose_positions, cut, find_missed_changes
from tests.faults.power.log import PowerLog, missing_compiler
from tests.faults.power.programs import CARELESS, PROGRAMS
from tests.full import FULL

ROOT = Path(__file__).parents[3]
CUTS = 200 if FULL else 12  # at places by chance, beside those just after something was said to be durable

pytestmark = pytest.mark.skipif(missing_compiler() is not None, reason=str(missing_compiler()))


@dataclass(frozen=True)
class Run:
    """All programs, one after the other."""

    log: PowerLog
    lines: list[tuple[int, str, str]]  # position, program, and what was durable from there on

    def losses(self, name: str, scratch: Path) -> list[str]:
        """Return what is wrong after some cut during a program."""
        chance, told = random.Random(name), [(at, what) for at, program, what in self.lines if program == name]
        _, check = {**PROGRAMS, **CARELESS}[name]
        (first, _), *_, (last, _) = told
        positions = choose_positions(self.log, CUTS, chance, [at for at, _ in told], first, last)
        return [
            f"cut at {position}, {outcome} survived: {wrong}"
            for position, outcome, left in cut(self.log, positions, chance, scratch, name)
            for wrong in check(left / name, {what for at, what in told if what and at <= position})
        ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The programs have run, and every change of theirs is in the log."""
    folder = tmp_path_factory.mktemp("power").resolve()
    (folder / "disk").mkdir()
    log = PowerLog(folder / "disk", folder / "changes")
    command = [sys.executable, "-m", "tests.faults.power.programs"]
    environment = os.environ | log.environment
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    assert find_missed_changes(log, folder) == []
    lines = (line.split(" ", 2) for line in done.stdout.splitlines())
    return Run(log, [(int(position), name, what) for position, name, what in lines])


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_durable_survives_a_power_cut(name: str, run: Run, tmp_path: Path) -> None:
    assert run.losses(name, tmp_path) == []


@pytest.mark.parametrize("name", CARELESS)
def test_a_program_that_forgets_to_sync_is_caught(name: str, run: Run, tmp_path: Path) -> None:
    found = run.losses(name, tmp_path)
    assert any("nothing survived" in wrong for wrong in found), found
    assert not any("everything survived" in wrong for wrong in found), found
