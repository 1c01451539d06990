"""TD3 against losses written by hand."""

from typing import Any

import pytest
import torch

from tests.app.spec.training.algorithms.test_soft_actor_critic import HALVES, MIDDLES, q_value
from tests.app.spec.training.algorithms.written import (
    ROWS,
    TOLERANCE,
    WrittenNetwork,
    algorithm_job,
    assert_gradients_of,
    mlp,
    names_of,
    normal,
)

MODEL = {"actor": mlp(2), "critic": mlp(1)}


@pytest.mark.parametrize("noise", [0.2, 0.0, 3.0])
def test_the_critics_learn_the_smoothed_value(noise: float) -> None:
    written = WrittenNetwork(algorithm_job("td3", MODEL, gamma=0.9, target_noise=noise, noise_clip=0.3))
    batch = written.batch
    loss, gradients = written.update_gradients(0)
    with torch.no_grad():
        smoothing = (noise * normal(ROWS, 2)).clamp(-0.3, 0.3)
        unit = (torch.tanh(written.body("target_policy")(batch["next_observation"])) + smoothing).clamp(-1, 1)
        action = unit * HALVES + MIDDLES
        values = [q_value(written.body(f"target_critic{k}"), batch["next_observation"], action) for k in (1, 2)]
        target = batch["reward"] + 0.9 * (1 - batch["terminated"]) * torch.minimum(*values)
    critics = [written.body(f"critic{k}") for k in (1, 2)]
    errors = [(q_value(critic, batch["observation"], batch["action"]) - target).square().mean() for critic in critics]
    torch.stack(errors).sum().backward()
    torch.testing.assert_close(loss, torch.stack(errors).sum(), **TOLERANCE)
    assert names_of(gradients) == {"critic1", "critic2"}
    for number, critic in enumerate(critics, 1):
        assert_gradients_of(gradients, f"critic{number}", critic)


def test_the_actor_raises_the_first_critic() -> None:
    written = WrittenNetwork(algorithm_job("td3", MODEL))
    loss, gradients = written.update_gradients(1)
    actor, observation = written.body("policy"), written.batch["observation"]
    action = torch.tanh(actor(observation)) * HALVES + MIDDLES
    values = q_value(written.body("critic1"), observation, action)
    (-values.mean()).backward()
    torch.testing.assert_close(loss, -values.mean(), **TOLERANCE)
    assert names_of(gradients) == {"policy"}
    assert_gradients_of(gradients, "policy", actor)
    torch.testing.assert_close(written.outputs("action", "q"), {"action": action, "q": values}, **TOLERANCE)


def test_the_policy_and_the_targets_move_together() -> None:
    training = WrittenNetwork(algorithm_job("td3", MODEL, policy_delay=3, tau=0.1)).job.training
    assert [update.every for update in training.updates] == [1, 3]
    followers = {target.node: (target.source, target.tau, target.every) for target in training.target_networks}
    assert followers == {f"target_{name}": (name, 0.1, 3) for name in ("critic1", "critic2", "policy")}


def test_noise_is_explored_with_and_can_be_chosen() -> None:
    document: dict[str, Any] = algorithm_job("td3", MODEL, exploration_noise=0.3)
    exploration = WrittenNetwork(document).job.data.exploration
    assert exploration is not None
    assert (exploration.kind, exploration.settings()) == ("gaussian", {"std": 0.3})
    document = algorithm_job("td3", MODEL)
    document["data"]["exploration"] = {"kind": "ornstein_uhlenbeck"}
    exploration = WrittenNetwork(document).job.data.exploration
    assert exploration is not None
    assert exploration.kind == "ornstein_uhlenbeck"
