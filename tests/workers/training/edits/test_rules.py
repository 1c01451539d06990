"""Rules of the plan make edits: at moments, at intervals, on plateaus, and where a loss is not finite."""

import pytest

from app.errors import NumericError
from tests.workers.training.edits.job_log import JobLog, assert_equal_states, edit
from tests.workers.training.edits.test_replay import INSERT, MATRICES, NEW_RATE, assert_repeatable, job
from tests.workers.training.harness import TrainingHarness
from workers.protocol.messages import Ending

HALF = {"op": "scale", "path": "training.optimizer.lr", "by": 0.5}
HEALING = [{"on": "nan", "operations": [{"op": "scale", "path": "training.optimizer.lr", "by": 1e-32}]}]


def test_a_loss_that_is_no_number_leads_back_to_the_last_good_checkpoint(laboratory: TrainingHarness) -> None:
    spec = job(MATRICES[:3] + MATRICES[4:], optimizer={"kind": "SGD", "lr": 1e30}, edits=HEALING)
    log = JobLog(laboratory, spec)
    attempt = log.run()
    assert attempt.outcome.ending is Ending.SUCCEEDED
    (healed,) = log.edits
    assert (healed.rule, healed.firing, healed.step, healed.revision) == (0, 1, 0, 2)
    assert log.documents[2]["training"]["optimizer"]["lr"] == 1e30 * 1e-32
    assert [step for step, _ in log.points["train/loss"]] == list(range(1, 12))
    again = JobLog(laboratory, spec, log.edits, log.documents)
    again.run()  # from the log: no such loss is met
    assert again.points == log.points
    assert_equal_states(again.final_state(), log.final_state())
    assert [data["step"] for data in attempt.events("rewound")] == [0, 0]


def test_healing_has_its_limit(laboratory: TrainingHarness) -> None:
    rule = {**HEALING[0], "max_times": 2, "operations": [HALF]}
    log = JobLog(laboratory, job(optimizer={"kind": "SGD", "lr": 1e30}, edits=[rule]))
    with pytest.raises(NumericError):
        log.run()
    assert [(each.firing, each.revision) for each in log.edits] == [(1, 2), (2, 3)]


def test_rules_follow_a_node_that_is_renamed(laboratory: TrainingHarness) -> None:
    rule = {"at": {"step": 5}, "operations": [{"op": "widen", "node": "first", "to": 24}]}
    rename = edit(1, {"op": "rename", "node": "first", "to": "stem"}, at={"step": 3})
    whole = assert_repeatable(laboratory, JobLog(laboratory, job(edits=[rule]), (rename,)), "rename")
    assert [(each.rule, each.step) for each in whole.edits] == [(None, 3), (0, 5)]


RULES = {
    "at a step": [{"at": {"step": 4}, "operations": [INSERT]}],
    "at intervals": [
        {
            "every": {"steps": 2},
            "until": {"parameters": 0.7},
            "operations": [{"op": "narrow", "node": "first", "fraction": 0.2}],
        }
    ],
    "every epoch": [
        {"every": {"epochs": 1}, "operations": [{"op": "scale", "path": "training.optimizer.lr", "by": 0.5}]}
    ],
    "on a plateau": [
        {
            "at": {"when": {"metric": "val/loss", "plateau": 1, "mode": "max"}},
            "operations": [{"op": "widen", "node": "first", "to": 24}],
        }
    ],
    "two at once": [{"at": {"step": 4}, "operations": [INSERT]}, {"at": {"step": 4}, "operations": [NEW_RATE]}],
}
FIRINGS = {"at a step": [4], "at intervals": [2, 4], "every epoch": [6], "on a plateau": [6], "two at once": [4, 4]}


@pytest.mark.parametrize("name", RULES)
def test_rules_make_edits_that_repeat_bit_by_bit(laboratory: TrainingHarness, name: str) -> None:
    evaluate = {"every_steps": 3} if name == "on a plateau" else {}
    log = JobLog(laboratory, job(edits=RULES[name], evaluate=evaluate))
    whole = assert_repeatable(laboratory, log, name)
    assert [each.step for each in whole.edits] == FIRINGS[name]
    assert [each.revision for each in whole.edits] == list(range(2, 2 + len(whole.edits)))


def test_a_rule_that_never_makes_an_edit_is_a_warning(laboratory: TrainingHarness) -> None:
    log = JobLog(laboratory, job(edits=[{"at": {"step": 100}, "operations": [INSERT]}, *HEALING]))
    attempt = log.run()
    assert [each["pointer"] for each in attempt.events("warning")] == ["/training/edits/0"]
