"""The results of `make accuracy`: a call for some examples leaves the figures of the others."""

import json
from pathlib import Path

import pytest

from benchmarks.machine import is_within_bound
from examples import accuracy
from examples.accuracy import GATES, claim_of, with_earlier_runs


def test_runs_that_are_not_asked_for_stay_in_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path)
    chosen, other, third = GATES[:3]
    new = {chosen.example: {"example": chosen.example, "bound": 2.0}}
    assert with_earlier_runs(new, [chosen]) == new
    earlier = [{"example": gate.example, "bound": 1.0} for gate in (chosen, other, third)]
    document = {"runs": earlier, "machine": {"processor": "another"}}
    (tmp_path / "accuracy.json").write_text(json.dumps(document))
    kept = with_earlier_runs({**new, third.example: {"example": third.example, "bound": 3.0}}, [chosen])
    assert {name: run["bound"] for name, run in kept.items()} == {
        chosen.example: 2.0,  # trained now
        other.example: 1.0,  # of the results
        third.example: 3.0,  # finished before, in the folder of this machine
    }
    assert kept[other.example]["processor"] == "another"
    assert with_earlier_runs({}, GATES) == {}


@pytest.mark.parametrize(("bits", "is_kept"), [(2.0, True), (2.019, True), (1.981, True), (2.03, False), (1.97, False)])
def test_a_figure_that_must_be_the_baseline_s_has_two_sides(bits: float, is_kept: bool) -> None:
    gate = next(gate for gate in GATES if gate.example == "real/characters-lstm")
    run = {"values": {gate.metric: bits}, "baseline": {"bits per character": 2.0}}
    assert is_within_bound(claim_of(gate, run)) == is_kept
