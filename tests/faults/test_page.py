"""docs/faults.md tells of everything that is done, that must hold, and that is found."""

import json
import re

from tests.faults import report
from tests.faults.invariants import INVARIANTS
from tests.faults.stages import ALL_KINDS
from tests.faults.test_mutations import ALL

PAGE = report.PAGE.read_text()


def test_every_kind_of_round_is_described() -> None:
    part = PAGE.partition("## What is done")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) == list(ALL_KINDS)


def test_every_invariant_is_described() -> None:
    assert re.findall(r"^\| (I\d+) \|", PAGE, re.MULTILINE) == list(INVARIANTS)


def test_every_bug_is_named_with_what_finds_it() -> None:
    part = PAGE.partition("## It bites")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+) \| (I.+) \|$", part, re.MULTILINE)
    assert rows == [(name, ", ".join(bug.detected_by)) for name, bug in ALL.items()]


def test_the_figures_are_those_of_the_results() -> None:
    found = report.CAMPAIGN_SECTION.search(PAGE)
    assert found is not None
    document = json.loads(report.RESULT.read_text())
    assert found[0] == f"{found[1]}{report.render_table(document)}\n{found[2]}", "stale: make faults ARGS=--report"
