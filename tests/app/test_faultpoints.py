"""The places at which a campaign may strike, and what they cost where there is none."""

import ast
from collections.abc import Iterator

import pytest

from app import faultpoints
from app.faultpoints import FAULTPOINTS, faultpoint
from tests.architecture.sources import python, tree
from tests.faults.edit_rounds import KILL_POINTS
from tests.faults.round_kinds import API_POINTS, MAX_HITS, RUNNER_POINTS, WORKER_POINTS
from workers.host.attempt import WRITE_FAULTPOINTS

# The rounds of edits send all of them, and only such as can be applied, before the job runs.
UNSTRUCK = {"edit_accepted", "edit_found", "edit_rejected", "edit_withdrawn"}


def passed() -> Iterator[str]:
    """Yield the names with which the product calls `faultpoint`."""
    for path in python("app", "workers"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "faultpoint":
                (name,) = node.args
                if isinstance(name, ast.Constant):
                    yield str(name.value)


def test_every_point_is_passed_somewhere_and_every_place_has_a_name() -> None:
    around = {name for pair in WRITE_FAULTPOINTS.values() for name in pair}
    assert sorted([*passed(), *around]) == sorted(FAULTPOINTS)


def test_the_campaign_strikes_at_points_that_there_are() -> None:
    points = {*API_POINTS, *RUNNER_POINTS, *WORKER_POINTS, *MAX_HITS, *KILL_POINTS, "cancel_seen", *UNSTRUCK}
    assert points == FAULTPOINTS.keys()


def test_nothing_happens_at_a_point_until_it_is_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    struck: list[str] = []
    faultpoint("mid_step")
    monkeypatch.setattr(faultpoints, "_strike", struck.append)
    faultpoint("mid_step")
    faultpoints.arm(None)
    faultpoint("mid_step")
    assert struck == ["mid_step"]
