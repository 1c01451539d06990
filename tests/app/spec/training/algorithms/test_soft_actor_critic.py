"""SAC against losses written by hand with torch's own distributions."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, TanhTransform, TransformedDistribution

from tests.app.spec.training.algorithms.written import (
    HIGH,
    LOW,
    ROWS,
    TOLERANCE,
    WrittenNetwork,
    algorithm_job,
    assert_gradients_of,
    mlp,
    names_of,
    normal,
)

MODEL = {"actor": mlp(4), "critic": mlp(1)}
HALVES = torch.tensor([(high - low) / 2 for low, high in zip(LOW, HIGH, strict=True)], dtype=torch.float64)
MIDDLES = torch.tensor([(high + low) / 2 for low, high in zip(LOW, HIGH, strict=True)], dtype=torch.float64)


def sampled(actor: Any, observation: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return an action and its log-probability (N, 1), by torch's transformed distribution."""
    mean, log_std = actor(observation).chunk(2, 1)
    normal_ = Independent(Normal(mean, log_std.clamp(-20, 2).exp()), 1)
    squashed = TransformedDistribution(normal_, [TanhTransform(cache_size=1)])
    action = torch.tanh(mean + log_std.clamp(-20, 2).exp() * noise)
    return action * HALVES + MIDDLES, squashed.log_prob(action)[:, None]


def q_value(critic: Any, observation: Tensor, action: Tensor) -> Tensor:
    return critic(torch.cat([observation, action], 1))


@pytest.mark.parametrize("alpha", ["auto", 0.3])
def test_the_critics_learn_the_soft_value(alpha: Any) -> None:
    written = WrittenNetwork(algorithm_job("sac", MODEL, gamma=0.9, alpha=alpha))
    batch, temperature = written.batch, 0.3
    if alpha == "auto":
        temperature = written.network.get_parameter("log_alpha").exp().item()
    loss, gradients = written.update_gradients(0)
    with torch.no_grad():
        action, log_prob = sampled(written.body("policy"), batch["next_observation"], normal(ROWS, 2))
        values = [q_value(written.body(f"target_critic{k}"), batch["next_observation"], action) for k in (1, 2)]
        soft = torch.minimum(*values) - temperature * log_prob
        target = batch["reward"] + 0.9 * (1 - batch["terminated"]) * soft
    critics = [written.body(f"critic{k}") for k in (1, 2)]
    errors = [(q_value(critic, batch["observation"], batch["action"]) - target).square().mean() for critic in critics]
    torch.stack(errors).sum().backward()
    torch.testing.assert_close(loss, torch.stack(errors).sum(), **TOLERANCE)
    assert names_of(gradients) == {"critic1", "critic2"}
    for number, critic in enumerate(critics, 1):
        assert_gradients_of(gradients, f"critic{number}", critic)


@pytest.mark.parametrize(("target", "entropy"), [("auto", -2.0), (-0.5, -0.5)])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_the_actor_and_alpha(target: Any, entropy: float, clip_norm: float | None) -> None:
    """Together in one update, unless what is done to gradients would mix them: each has the gradients of its own."""
    written = WrittenNetwork(algorithm_job("sac", MODEL, training={"clip_norm": clip_norm}, target_entropy=target))
    actor, observation = written.body("policy"), written.batch["observation"]
    log_alpha = written.network.get_parameter("log_alpha").detach().clone().requires_grad_()
    action, log_prob = sampled(actor, observation, normal(ROWS, 2))
    values = [q_value(written.body(f"critic{k}"), observation, action) for k in (1, 2)]
    actor_loss = (log_alpha.exp().item() * log_prob - torch.minimum(*values)).mean()
    alpha_loss = (-log_alpha.exp() * (log_prob.detach() + entropy)).mean()
    actor_loss.backward()
    alpha_loss.backward()
    updates = written.job.training.updates[1:]
    assert [update.loss for update in updates] == ([("actor", "alpha")] if not clip_norm else [("actor",), ("alpha",)])
    losses, gradients = zip(*(written.update_gradients(place) for place in range(1, 1 + len(updates))), strict=True)
    torch.testing.assert_close(sum(losses), actor_loss + alpha_loss, **TOLERANCE)
    found = {name: gradient for part in gradients for name, gradient in part.items()}
    assert names_of(found) == {"policy", "log_alpha"}
    assert_gradients_of(found, "policy", actor)
    torch.testing.assert_close(found["log_alpha"], log_alpha.grad, **TOLERANCE)


def test_what_is_done_explored_and_reported() -> None:
    written = WrittenNetwork(algorithm_job("sac", MODEL))
    outputs = written.outputs("action", "explored", "entropy", "q")
    observation, actor = written.batch["observation"], written.body("policy")
    action, log_prob = sampled(actor, observation, normal(ROWS, 2))
    mean, _ = actor(observation).chunk(2, 1)
    values = [q_value(written.body(f"critic{k}"), observation, action) for k in (1, 2)]
    expected = {
        "action": torch.tanh(mean) * HALVES + MIDDLES,
        "explored": action,
        "entropy": -log_prob,
        "q": torch.minimum(*values),
    }
    torch.testing.assert_close(outputs, expected, **TOLERANCE)
    assert written.job.data.report == ("entropy", "q")
    assert written.job.data.behaviour_output == "explored"


def test_log_probabilities_are_exact_far_out() -> None:
    """Where tanh is 1 in float32, and the logarithm of 1 - tanh^2 would be -inf."""
    written = WrittenNetwork(algorithm_job("sac", MODEL))
    with torch.no_grad():
        written.network.get_parameter("policy.linear2.bias").add_(torch.tensor([60.0, -300.0, 0.0, 0.0]))
    network = written.network.float()
    torch.manual_seed(1)
    inputs = {name: value.float() for name, value in written.batch.items()}
    found = network(inputs)["entropy"].double()
    mean, log_std = written.network.double().get_submodule("policy")(written.batch["observation"]).chunk(2, 1)
    assert found.isfinite().all()
    torch.manual_seed(1)
    noise = torch.randn(ROWS, 2).double()
    sample = mean + log_std.clamp(-20, 2).exp() * noise
    log_tanh = 2 * (torch.log(torch.tensor(2.0)) - sample.abs() - torch.log1p(torch.exp(-2 * sample.abs())))
    log_prob = (Normal(mean, log_std.clamp(-20, 2).exp()).log_prob(sample) - log_tanh).sum(1, keepdim=True)
    torch.testing.assert_close(-found, log_prob.detach(), rtol=1e-5, atol=1e-4)


def test_an_actor_may_give_mean_and_log_std_apart() -> None:
    nodes = [
        {"id": "hidden", "kind": "Linear", "inputs": "observation", "out_features": 8},
        {"id": "mean", "kind": "Linear", "inputs": "hidden", "out_features": 2},
        {"id": "log_std", "kind": "Linear", "inputs": "hidden", "out_features": 2},
    ]
    actor = {"nodes": nodes, "outputs": {"log_std": "log_std", "mean": "mean"}}
    written = WrittenNetwork(algorithm_job("sac", MODEL | {"actor": actor}))
    policy, observation = written.network.get_submodule("policy"), written.batch["observation"]
    parts = dict(zip(("log_std", "mean"), policy(observation), strict=True))
    action, log_prob = sampled(lambda _: torch.cat([parts["mean"], parts["log_std"]], 1), observation, normal(ROWS, 2))
    outputs = written.outputs("explored", "entropy")
    torch.testing.assert_close(outputs, {"explored": action, "entropy": -log_prob}, **TOLERANCE)
    assert len(written.update_gradients(0)[1]) == 8
