"""Surgery on networks that act: the environments and what was experienced stay, and the log repeats bit by bit."""

from typing import Any

import pytest
import torch

from tests.workers.training.edits.job_log import QUIET, JobLog, edit, stored_state
from tests.workers.training.edits.test_replay import assert_repeatable
from tests.workers.training.harness import TrainingHarness, resume_candidates
from tests.workers.training.sources.environment_jobs import LIMIT, WIDTH, episodes_job, replay_job, rollout_job
from workers.protocol.messages import Ending

PLAN: dict[str, Any] = {"checkpoint": {"every_steps": 3, **QUIET}, "statistics": {"every_steps": 2}}
WIDER = {"op": "widen", "node": "actor.hidden", "to": 12}
DEEPER = {"op": "insert", "after": "critic.act", "node": {"id": "more", "kind": "Linear", "out_features": WIDTH}}
RATE = {"op": "set", "path": "training.updates.critic.optimizer.lr", "value": 0.02}
SWAPPED = {"op": "swap_optimizer", "update": "actor", "to": {"kind": "SGD", "lr": 0.03, "momentum": 0.9}}
BATCH = {"op": "set", "path": "training.batch_size", "value": 24}
SCRIPT = (
    edit(1, WIDER, at={"step": 3}),
    edit(2, RATE, at={"step": 5}),
    edit(3, DEEPER, at={"step": 7}),
    edit(4, SWAPPED, at={"step": 10}),
    edit(5, {"op": "freeze", "nodes": ["critic.value"]}, at={"step": 11}),
    edit(6, BATCH, at={"step": 13}),
)


def test_a_script_on_actor_and_critic_repeats_bit_by_bit(laboratory: TrainingHarness) -> None:
    spec = replay_job(steps=35, **PLAN)
    whole = assert_repeatable(laboratory, JobLog(laboratory, spec, SCRIPT), "replay", 3)
    assert [each.step for each in whole.edits] == [3, 5, 7, 10, 11, 13]
    tensors, _ = whole.final_state()
    for node in ("actor", "later_action"):  # a target network is widened with its source
        assert tensors[f"network/{node}.hidden.weight"].shape == (12, 3)
    assert whole.points["episode/return"]
    rates = dict(whole.points["train/critic/lr"])
    assert (rates[5], rates[6]) == (0.01, 0.02)


@pytest.mark.parametrize("make", [replay_job, rollout_job])
def test_environments_and_experience_stay_as_they_are(laboratory: TrainingHarness, make: Any) -> None:
    node = "actor.hidden" if make is replay_job else "mean.hidden"
    log = JobLog(
        laboratory, make(steps=12, **PLAN), (edit(1, {"op": "widen", "node": node, "to": 12}, at={"step": 8}),)
    )
    log.run()
    before, after = (stored_state(laboratory, each) for each in log.saved if each.step == 8)
    sources = [name for name in before[0] if name.startswith("source/")]
    assert sources
    assert all(before[0][name].equal(after[0][name]) for name in sources)
    assert before[1]["source"] == after[1]["source"]
    assert any(before[1]["source"]["environments"]["lengths"])  # in the midst of episodes


def test_an_edit_that_changes_no_function_changes_no_experience(laboratory: TrainingHarness) -> None:
    """The wider actor computes what the narrow one did, so it does the same for as long as nothing is learned."""
    spec = replay_job(steps=9, **PLAN)
    for update in spec["training"]["updates"]:
        update["optimizer"] = {"kind": "SGD", "lr": 0.0}
    plain, edited = JobLog(laboratory, spec), JobLog(laboratory, spec, (edit(1, WIDER, at={"step": 4}),))
    plain.run()
    edited.run()
    one, other = (log.final_state()[0]["source/buffer/" + _packed(log)] for log in (plain, edited))
    assert one.shape == other.shape
    assert torch.allclose(one, other, atol=1e-5)


def _packed(log: JobLog) -> str:
    [name] = [each for each in log.final_state()[0] if each.startswith("source/buffer/")]
    return name.removeprefix("source/buffer/")


def test_the_gradient_of_a_batch_that_is_to_come_collects_nothing(laboratory: TrainingHarness) -> None:
    narrow = {"op": "narrow", "node": "actor.hidden", "to": 5, "by": "gradient"}
    whole = assert_repeatable(laboratory, JobLog(laboratory, replay_job(steps=12, **PLAN), (edit(1, narrow),)), "n", 2)
    assert whole.final_state()[0]["network/actor.hidden.weight"].shape == (5, 3)


def test_another_batch_waits_for_the_next_rollout(laboratory: TrainingHarness) -> None:
    spec = rollout_job(steps=20, **PLAN)  # a rollout serves 6 steps
    log = JobLog(laboratory, spec, (edit(1, {**BATCH, "value": 20}, at={"step": 8}),))
    whole = assert_repeatable(laboratory, log, "batch", 3)
    assert [each.step for each in whole.edits] == [12]
    assert whole.final_state()[1]["source"]["buffer"]["until"] == 20  # 12 + 2 passes of 2 batches, and the same again


def test_episodes_are_played_on_with_another_policy(laboratory: TrainingHarness) -> None:
    wider = {"op": "widen", "node": "mean.hidden", "to": 12}
    log = JobLog(laboratory, episodes_job(steps=8, **PLAN), (edit(1, wider, at={"step": 4}),))
    assert_repeatable(laboratory, log, "episodes", 2)


def test_rules_follow_the_return(laboratory: TrainingHarness) -> None:
    rule = {"at": {"when": {"metric": "val/return", "above": -1e9}}, "operations": [WIDER]}
    whole = assert_repeatable(laboratory, JobLog(laboratory, replay_job(steps=12, edits=[rule], **PLAN)), "rule", 2)
    assert [each.step for each in whole.edits] == [5]


def test_a_loss_that_is_no_number_takes_the_environments_back(laboratory: TrainingHarness) -> None:
    """The way back is to a checkpoint, with the episodes and transitions of that moment."""
    spec = replay_job(steps=12, **PLAN)
    spec["training"]["updates"][1]["optimizer"] = {"kind": "SGD", "lr": 1e30}
    calmer = {"op": "set", "path": "training.updates.actor.optimizer.lr", "value": 0.01}
    spec["training"]["edits"] = [{"on": "nan", "operations": [calmer]}]
    log = JobLog(laboratory, spec)
    assert log.run().outcome.ending is Ending.SUCCEEDED
    assert log.documents[2]["training"]["updates"][1]["optimizer"]["lr"] == 0.01
    assert log.final_state()[1]["source"]["environments"]["lengths"] == [(10 + 12) % LIMIT] * 2


@pytest.mark.parametrize("what", ["weights", "everything"])
def test_another_job_starts_from_a_checkpoint(laboratory: TrainingHarness, what: str) -> None:
    """With everything it goes on with the other one's episodes, with the weights alone they begin anew."""
    first = laboratory.run(replay_job(steps=8))
    checkpoint = first.context.saved[-1]
    spec = replay_job(steps=14) | {"start_from": {"checkpoint": checkpoint.id, "what": what}}
    [start] = resume_candidates(checkpoint)
    second = laboratory.run(spec, start_from=start, start_document=replay_job(steps=8))
    assert second.outcome.ending is Ending.SUCCEEDED
    environments = second.prepared.state.state_json()["source"]["environments"]  # type: ignore[typeddict-item]
    assert environments["lengths"] == [24] * 2  # 10 steps with random actions before the first
    if what == "everything":
        whole = laboratory.run(replay_job(steps=14))
        assert second.weights() == whole.weights()
        assert [step for step, _ in second.points("train/critic/loss")] == list(range(9, 15))
    else:
        assert [step for step, _ in second.points("train/critic/loss")] == list(range(1, 15))
