"""Actor and critics with target networks, as in TD3, against the loop that one writes by hand, to the bit."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.workers.training.harness import TrainingHarness, resume_candidates
from tests.workers.training.optim.gan_jobs import seed_update
from workers.training.loop import train

STEPS, TAU = 8, 0.05
CRITIC = {
    "inputs": ["state", "action"],
    "nodes": [
        {"id": "both", "kind": "cat", "inputs": ["state", "action"]},
        {"id": "hidden", "kind": "Linear", "inputs": ["both"], "out_features": 16},
        {"id": "norm", "kind": "BatchNorm1d", "inputs": ["hidden"]},
        {"id": "act", "kind": "ReLU", "inputs": ["norm"]},
        {"id": "value", "kind": "Linear", "inputs": ["act"], "out_features": 1},
    ],
    "outputs": {"value": "value"},
}
ACTOR = {
    "layers": [
        {"id": "hidden", "kind": "Linear", "out_features": 8},
        {"id": "act", "kind": "Tanh"},
        {"id": "action", "kind": "Linear", "out_features": 1},
    ]
}


def block(name: str, kind: str, *inputs: str, **fields: str) -> dict[str, Any]:
    return {"id": name, "kind": "block", "name": kind, "inputs": list(inputs)} | fields


NODES = [
    block("next_action", "Actor", "x"),
    {"id": "noise", "kind": "randn_like", "inputs": ["next_action"]},
    {"id": "small", "kind": "mul", "inputs": ["noise"], "scalar": 0.1},
    {"id": "near", "kind": "add", "inputs": ["next_action", "small"]},
    block("later1", "Critic", "x", "near"),
    block("later2", "Critic", "x", "near"),
    {"id": "later", "kind": "minimum", "inputs": ["later1", "later2"]},
    {"id": "discounted", "kind": "mul", "inputs": ["later"], "scalar": 0.9},
    {"id": "goal", "kind": "add", "inputs": ["y", "discounted"]},
    {"id": "fixed", "kind": "stop_gradient", "inputs": ["goal"]},
    block("critic1", "Critic", "x", "y", share="critic1"),
    block("critic2", "Critic", "x", "y"),
    {"id": "error1", "kind": "sub", "inputs": ["critic1", "fixed"]},
    {"id": "error2", "kind": "sub", "inputs": ["critic2", "fixed"]},
    {"id": "square1", "kind": "square", "inputs": ["error1"]},
    {"id": "square2", "kind": "square", "inputs": ["error2"]},
    {"id": "critic_loss", "kind": "add", "inputs": ["square1", "square2"]},
    block("actor", "Actor", "x"),
    block("judged", "Critic", "x", "actor", share="critic1"),
    {"id": "actor_loss", "kind": "neg", "inputs": ["judged"]},
]
FOLLOWED = {"next_action": "actor", "later1": "critic1", "later2": "critic2"}


def actor_critic_job(**plan: Any) -> dict[str, Any]:
    """Return a job on diabetes: what is measured stands for states, and the target for actions and rewards."""
    heads = {name: {"loss": {"kind": "Output"}, "output": f"{name}_loss"} for name in ("critic", "actor")}
    updates = [
        {"loss": "critic", "parameters": ["critic1", "critic2"], "optimizer": {"kind": "Adam", "lr": 0.01}},
        {"loss": "actor", "optimizer": {"kind": "SGD", "lr": 0.05, "momentum": 0.9}, "every": 2},
    ]
    targets = [{"node": node, "source": source, "tau": TAU, "every": 2} for node, source in FOLLOWED.items()]
    outputs = {f"{name}_loss": f"{name}_loss" for name in heads}
    return {
        "model": {
            "inputs": ["x", "y"],
            "nodes": NODES,
            "outputs": outputs,
            "blocks": {"Critic": CRITIC, "Actor": ACTOR},
        },
        "data": {"kind": "builtin", "name": "diabetes", "validation": {"fraction": 0.5}},
        "objective": {"heads": heads},
        "training": {
            "steps": STEPS,
            "batch_size": 50,
            "device": "cpu",
            "checkpoint": {"every_seconds": None, "keep_best": 0},
            "updates": updates,
            "target_networks": targets,
        }
        | plan,
    }


class Critic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.norm, self.value = nn.Linear(11, 16), nn.BatchNorm1d(16), nn.Linear(16, 1)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        return self.value(self.norm(self.hidden(torch.cat([state, action], 1))).relu())


class Actor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.action = nn.Linear(10, 8), nn.Linear(8, 1)

    def forward(self, state: Tensor) -> Tensor:
        return self.action(self.hidden(state).tanh())


def follow(target: nn.Module, source: nn.Module, tau: float) -> None:
    with torch.no_grad():
        for own, other in zip(target.parameters(), source.parameters(), strict=True):
            own.lerp_(other, tau)
        for own, other in zip(target.buffers(), source.buffers(), strict=True):
            own.copy_(other)


def train_by_hand(prepared: Any) -> dict[str, nn.Module]:
    nets: dict[str, nn.Module] = {name: Critic() for name in ("critic1", "critic2", "later1", "later2")}
    nets |= {"actor": Actor(), "next_action": Actor()}
    stored = prepared.network.state_dict()
    for name, net in nets.items():
        net.load_state_dict({key: stored[f"{FOLLOWED.get(name, name)}.{key}"].clone() for key in net.state_dict()})
    critic = [*nets["critic1"].parameters(), *nets["critic2"].parameters()]
    adam = torch.optim.Adam(critic, 0.01, fused=True)
    sgd = torch.optim.SGD(nets["actor"].parameters(), 0.05, momentum=0.9, fused=True)
    for step in range(STEPS):
        [(inputs, _, _)] = prepared.state.source.batches(step)
        x, wanted = inputs["x"], inputs["y"]
        seed_update(step, 0)
        action = nets["next_action"](x)
        near = action + torch.randn_like(action) * 0.1
        goal = (wanted + torch.minimum(nets["later1"](x, near), nets["later2"](x, near)) * 0.9).detach()
        loss = ((nets["critic1"](x, wanted) - goal).square() + (nets["critic2"](x, wanted) - goal).square()).mean()
        loss.backward()
        adam.step()
        adam.zero_grad()
        if step % 2:
            (-nets["critic1"](x, nets["actor"](x))).mean().backward()
            sgd.step()
            sgd.zero_grad()
            adam.zero_grad()
            for name, source in FOLLOWED.items():
                follow(nets[name], nets[source], TAU)
        for net in nets.values():
            net.zero_grad()
    return nets


def test_targets_follow_as_in_the_plain_loop(laboratory: TrainingHarness) -> None:
    prepared = laboratory.prepare(actor_critic_job())
    stored = {name: value.clone() for name, value in prepared.network.state_dict().items()}
    for node, source in FOLLOWED.items():
        assert all(
            value.equal(stored[source + name.removeprefix(node)])
            for name, value in stored.items()
            if name.startswith(f"{node}.")
        )
    nets = train_by_hand(prepared)
    train(prepared)
    trained = prepared.network.state_dict()
    for node, net in nets.items():
        for name, value in net.state_dict().items():
            assert trained[f"{node}.{name}"].equal(value), f"{node}.{name}"


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_an_interrupted_training_is_the_same(laboratory: TrainingHarness, stop: int) -> None:
    job = actor_critic_job()
    whole, first = laboratory.run(job), laboratory.run(job, {stop: "pause"})
    second = laboratory.run(job, resume_from=resume_candidates(*first.context.saved))
    assert second.weights() == whole.weights()


def test_a_copy_is_a_copy(laboratory: TrainingHarness) -> None:
    job = actor_critic_job(steps=3)
    job["training"]["target_networks"] = [{"node": node, "source": each, "tau": 1} for node, each in FOLLOWED.items()]
    weights = laboratory.run(job).prepared.network.state_dict()
    for node, source in FOLLOWED.items():
        own = [name for name in weights if name.startswith(f"{node}.")]
        assert own
        assert all(weights[name].equal(weights[source + name.removeprefix(node)]) for name in own)
