"""PPO and REINFORCE against losses written by hand with torch's own distributions."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, Normal
from torch.nn import functional

from tests.app.spec.training.algorithms.test_soft_actor_critic import HALVES, MIDDLES
from tests.app.spec.training.algorithms.written import (
    BOX,
    CLASSES,
    ROWS,
    TOLERANCE,
    WrittenNetwork,
    algorithm_job,
    assert_gradients_of,
    linear,
    mlp,
    names_of,
    normal,
)

FREE = {"kind": "box", "shape": [2]}  # without bounds
SPACES = {"box": (BOX, 2), "free": (FREE, 2), "discrete": (CLASSES, 3)}


def written_job(kind: str, space: str, **settings: Any) -> WrittenNetwork:
    action, width = SPACES[space]
    model = {"actor": mlp(width)} | ({"critic": mlp(1)} if kind == "ppo" else {})
    return WrittenNetwork(algorithm_job(kind, model, action, **settings))


def policy_of(written: WrittenNetwork, space: str, actor: Any, log_std: Tensor | None) -> tuple[Distribution, Tensor]:
    """Return the policy's distribution by torch, and the column of actions in its units."""
    scores, action = actor(written.batch["observation"]), written.batch["action"]
    if log_std is None:
        return Categorical(logits=scores), action
    gaussian = Independent(Normal(scores, log_std.exp().expand_as(scores)), 1)
    return gaussian, (action - MIDDLES) / HALVES if space == "box" else action


def log_std_of(written: WrittenNetwork, space: str) -> Tensor | None:
    if space == "discrete":
        return None
    return written.network.get_parameter("log_std").detach().clone().requires_grad_()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("coefficient", [0.0, 0.03])
def test_ppo_raises_the_clipped_objective(space: str, coefficient: float) -> None:
    written = written_job("ppo", space, clip_range=0.1, value_coefficient=0.7, entropy_coefficient=coefficient)
    actor, critic, log_std = written.body("policy"), written.body("critic"), log_std_of(written, space)
    policy, action = policy_of(written, space, actor, log_std)
    written.batch["log_prob"] = policy.log_prob(action).detach()[:, None] + torch.linspace(-0.3, 0.3, ROWS)[:, None]
    loss, gradients = written.update_gradients(0)
    batch = written.batch
    ratio = (policy.log_prob(action)[:, None] - batch["log_prob"]).exp()
    limited = ratio.clamp(0.9, 1.1)
    assert not limited.equal(ratio)
    surrogate = torch.minimum(ratio * batch["advantage"], limited * batch["advantage"]).mean()
    error = functional.mse_loss(critic(batch["observation"]), batch["returns"])
    by_hand = -surrogate + 0.7 * error - coefficient * policy.entropy().mean()
    by_hand.backward()
    torch.testing.assert_close(loss, by_hand, **TOLERANCE)
    assert names_of(gradients) == {"policy", "critic"} | ({"log_std"} if log_std is not None else set())
    assert_gradients_of(gradients, "policy", actor)
    assert_gradients_of(gradients, "critic", critic)
    if log_std is not None:
        torch.testing.assert_close(gradients["log_std"], log_std.grad, **TOLERANCE)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("coefficient", [0.0, 0.03])
def test_reinforce_raises_the_probability_of_what_paid(space: str, coefficient: float) -> None:
    written = written_job("reinforce", space, entropy_coefficient=coefficient)
    actor, log_std = written.body("policy"), log_std_of(written, space)
    policy, action = policy_of(written, space, actor, log_std)
    loss, gradients = written.update_gradients(0)
    by_hand = -(policy.log_prob(action) * written.batch["returns"][:, 0]).mean()
    by_hand = by_hand - coefficient * policy.entropy().mean()
    by_hand.backward()
    torch.testing.assert_close(loss, by_hand, **TOLERANCE)
    assert_gradients_of(gradients, "policy", actor)
    if log_std is not None:
        torch.testing.assert_close(gradients["log_std"], log_std.grad, **TOLERANCE)


@pytest.mark.parametrize("space", ["box", "free"])
def test_what_a_gaussian_policy_does(space: str) -> None:
    written = written_job("ppo", space)
    actor, log_std = written.body("policy"), log_std_of(written, space)
    assert log_std is not None
    policy, _ = policy_of(written, space, actor, log_std)
    mean = actor(written.batch["observation"])
    sample = mean + log_std.exp() * normal(ROWS, 2)
    halves, middles = (HALVES, MIDDLES) if space == "box" else (torch.ones(2), torch.zeros(2))
    expected = {
        "action": mean * halves + middles,
        "explored": sample * halves + middles,
        "log_prob": policy.log_prob(sample)[:, None],
        "value": written.body("critic")(written.batch["observation"]),
        "entropy": policy.entropy()[:, None],
    }
    torch.testing.assert_close(written.outputs(*expected), expected, **TOLERANCE)


def test_what_a_categorical_policy_does() -> None:
    written = written_job("ppo", "discrete")
    policy, _ = policy_of(written, "discrete", written.body("policy"), None)
    outputs = written.outputs("action", "explored", "log_prob", "entropy")
    assert outputs["action"].equal(policy.logits.argmax(1))  # type: ignore[attr-defined]
    expected = policy.log_prob(outputs["explored"])[:, None], policy.entropy()[:, None]
    torch.testing.assert_close((outputs["log_prob"], outputs["entropy"]), expected, **TOLERANCE)


def test_classes_are_drawn_with_their_probabilities() -> None:
    """Each count of 100,000 draws is within five standard deviations."""
    written, draws = written_job("ppo", "discrete"), 100_000
    written.batch["observation"] = written.batch["observation"][:1].expand(draws, -1)
    explored = written.outputs("explored")["explored"]
    probabilities = written.body("policy")(written.batch["observation"][:1]).softmax(1)[0]
    deviations = (draws * probabilities * (1 - probabilities)).sqrt()
    assert ((explored.bincount(minlength=3) - draws * probabilities).abs() < 5 * deviations).all()


def test_a_trunk_is_trained_by_both() -> None:
    trunk = {"layers": [linear(5), "Tanh"]}
    model = {"trunk": trunk, "actor": mlp(3), "critic": mlp(1)}
    written = WrittenNetwork(algorithm_job("ppo", model, CLASSES))
    _, gradients = written.update_gradients(0)
    assert names_of(gradients) == {"trunk", "policy", "critic"}
    layer = written.network.get_submodule("trunk.linear1")
    features = torch.tanh(layer(written.batch["observation"]))
    value = written.body("critic")(features)
    torch.testing.assert_close(written.outputs("value")["value"], value, **TOLERANCE)


def test_actor_and_critic_may_have_optimisers_of_their_own() -> None:
    written = written_job("ppo", "box", critic_optimizer={"kind": "SGD", "lr": 0.1}, entropy_coefficient=0.1)
    policy, value = written.job.training.updates
    assert (policy.loss, policy.parameters) == (("policy", "entropy"), ("policy", "log_std"))
    assert (value.loss, value.parameters, value.optimizer.kind) == (("value",), ("critic",), "SGD")
    assert (policy.optimizer.kind, policy.optimizer.settings()["eps"]) == ("Adam", 1e-5)
    assert (policy.clip_norm, value.clip_norm) == (0.5, 0.5)


def test_an_actor_may_give_log_std_as_well() -> None:
    nodes = [
        {"id": "hidden", "kind": "Linear", "inputs": "observation", "out_features": 8},
        {"id": "mean", "kind": "Linear", "inputs": "hidden", "out_features": 2},
        {"id": "log_std", "kind": "Linear", "inputs": "hidden", "out_features": 2},
    ]
    actor = {"inputs": ["observation"], "nodes": nodes, "outputs": {"mean": "mean", "log_std": "log_std"}}
    written = WrittenNetwork(algorithm_job("ppo", {"actor": actor, "critic": mlp(1)}, entropy_coefficient=0.1))
    mean, log_std = written.network.get_submodule("policy")(written.batch["observation"])
    policy = Independent(Normal(mean, log_std.clamp(-20, 2).exp()), 1)
    sample = mean + policy.stddev * normal(ROWS, 2)
    expected = {
        "explored": sample * HALVES + MIDDLES,
        "log_prob": policy.log_prob(sample)[:, None],
        "entropy": policy.entropy()[:, None],
    }
    torch.testing.assert_close(written.outputs(*expected), expected, **TOLERANCE)
    assert names_of(written.update_gradients(0)[1]) == {"policy", "critic"}
