"""Edits of trainings with several updates: repeated to the bit, and each follows what it is about alone."""

from typing import Any

import pytest
import torch

from tests.workers.training.edits.job_log import QUIET, JobLog, edit, stored_state
from tests.workers.training.edits.test_replay import assert_repeatable
from tests.workers.training.harness import TrainingHarness
from tests.workers.training.optim.gan_jobs import gan_job
from tests.workers.training.optim.test_target_networks import FOLLOWED, TAU, actor_critic_job

PLAN = {"checkpoint": {"every_steps": 3, **QUIET}, "statistics": {"every_steps": 2}, "steps": 12}
WIDER = {"op": "widen", "node": "critic1.hidden", "to": 24}
DEEPER = {"op": "insert", "after": "critic1.act", "node": {"id": "more", "kind": "Linear", "out_features": 24}}
SCRIPT = (
    edit(1, WIDER, at={"step": 2}),
    edit(2, {"op": "set", "path": "training.updates.critic.optimizer.lr", "value": 0.02}, at={"step": 3}),
    edit(3, DEEPER, {"op": "set", "path": "training.target_networks.later2.tau", "value": 0.5}, at={"step": 4}),
    edit(4, {"op": "swap_optimizer", "update": "actor", "to": {"kind": "Adam", "lr": 0.03}}, at={"step": 6}),
    edit(5, {"op": "freeze", "nodes": ["critic2.value"]}, at={"step": 7}),
    edit(6, {"op": "rename", "node": "critic2", "to": "second"}, at={"step": 8}),
    edit(
        7, {"op": "set", "path": "training.updates.1.schedule", "value": {"kind": "CosineAnnealingLR"}}, at={"step": 9}
    ),
    edit(8, {"op": "unfreeze", "nodes": ["second"]}, at={"step": 10}),
)


def test_a_script_on_actor_and_critics_repeats_bit_by_bit(laboratory: TrainingHarness) -> None:
    whole = assert_repeatable(laboratory, JobLog(laboratory, actor_critic_job(**PLAN), SCRIPT), "actor", 3)
    plan = whole.documents[9]["training"]
    assert [update["optimizer"] for update in plan["updates"]] == [
        {"kind": "Adam", "lr": 0.02},
        {"kind": "Adam", "lr": 0.03},
    ]
    assert plan["updates"][0]["parameters"] == ["critic1", "second"]
    assert plan["target_networks"][2]["source"] == "second"
    assert [target["tau"] for target in plan["target_networks"]] == [TAU, TAU, 0.5]
    assert "groups" not in plan["updates"][0]
    rates = dict(whole.points["train/critic/lr"])
    assert (rates[3], rates[4]) == (0.01, 0.02)


def test_targets_get_the_new_weights_of_their_sources(laboratory: TrainingHarness) -> None:
    """A target network whose new layer was drawn apart would be no average of its source."""
    deeper = DEEPER | {"node": {"id": "more", "kind": "Linear", "out_features": 16}}
    log = JobLog(laboratory, actor_critic_job(**PLAN), (edit(1, deeper, at={"step": 4}),))
    log.run()
    [first] = [each for each in log.saved if each.revision == 2 and each.step == 4]
    tensors = stored_state(laboratory, first)[0]
    for node in ("later1", "later2"):
        for name in ("more.weight", "more.bias"):
            assert tensors[f"network/{node}.{name}"].equal(tensors[f"network/{FOLLOWED[node]}.{name}"])


PLAIN_PATHS = [
    ("training.optimizer.lr", 0.1, "several updates"),
    ("training.updates.2.optimizer.lr", 0.1, "no updates.2"),
    ("training.updates.nobody.optimizer.lr", 0.1, "no updates.nobody"),
    ("training.updates.critic.loss", "generator", "cannot be changed"),
    ("training.updates.critic.optimizer.momentum", 0.1, "Adam has no momentum"),
    ("training.target_networks.0.tau", 0.1, "no target_networks.0"),
    ("training.target_networks", None, "cannot be changed"),
]


@pytest.mark.parametrize(("path", "value", "reason"), PLAIN_PATHS)
def test_paths_that_there_are_not_are_refused(laboratory: TrainingHarness, path: str, value: Any, reason: str) -> None:
    log = JobLog(laboratory, gan_job(steps=2), (edit(1, {"op": "set", "path": path, "value": value}),))
    log.run()
    [rejected] = log.rejected
    assert reason in rejected.problems[0]["detail"]


def test_gradients_choose_among_the_units_of_an_update(laboratory: TrainingHarness) -> None:
    """Units of the critic are chosen by the gradient of its own loss."""
    narrow = {"op": "narrow", "node": "real.down1", "to": 5, "by": "gradient"}
    log = JobLog(laboratory, gan_job(**{**PLAN, "steps": 6}), (edit(1, narrow, at={"step": 3}),))
    whole = assert_repeatable(laboratory, log, "narrow", 1)
    assert torch.Size([5, 1, 4, 4]) == whole.final_state()[0]["network/real.down1.weight"].shape


def test_an_operation_without_the_name_of_an_update_is_refused(laboratory: TrainingHarness) -> None:
    log = JobLog(laboratory, gan_job(steps=2), (edit(1, {"op": "swap_optimizer", "to": "SGD"}),))
    log.run()
    assert log.rejected[0].problems[0]["pointer"] == "/operations/0/update"


def test_a_source_cannot_go_without_its_target(laboratory: TrainingHarness) -> None:
    replace = {"op": "replace", "node": "critic1", "with": {"kind": "Bilinear", "out_features": 1}}
    log = JobLog(laboratory, actor_critic_job(steps=2), (edit(1, replace),))
    log.run()
    assert log.rejected


def test_new_nodes_need_an_update(laboratory: TrainingHarness) -> None:
    """A layer outside of what updates name is refused, unless the edit names it."""
    insert = {"op": "insert", "after": "real", "node": {"id": "scale", "kind": "Linear", "out_features": 1}}
    named = {"op": "set", "path": "training.updates.critic.parameters", "value": ["real", "scale"]}
    log = JobLog(laboratory, gan_job(steps=3), (edit(1, insert), edit(2, insert, named, at={"step": 1})))
    log.run()
    [rejected] = log.rejected
    assert "no update trains scale.bias, scale.weight" in rejected.problems[0]["detail"]
    assert log.documents[2]["training"]["updates"][0]["parameters"] == ["real", "scale"]
