"""A policy computes as in evaluation, with the weights of the moment, and leaves the network as it is."""

from typing import Any

import torch

from app.spec.data.columns import Column, DataSchema
from app.spec.network.network import Network
from workers.network.runtime.build import BuiltNetwork, build
from workers.training.devices import Precision
from workers.training.sources.policy import Policy

SCHEMA = DataSchema(
    columns=(Column(name="observation", shape=(3,)), Column(name="reward", shape=(1,))),
    rows={},
    inputs=("observation",),
)
CPU = Precision(torch.device("cpu"))


def network(*layers: dict[str, Any]) -> BuiltNetwork:
    nodes = [
        {"inputs": ["observation" if place == 0 else layers[place - 1]["id"]], **each}
        for place, each in enumerate(layers)
    ]
    loss = {"id": "loss", "kind": "mul", "inputs": [layers[-1]["id"], "reward"]}
    document = {
        "inputs": ["observation", "reward"],
        "nodes": [*nodes, loss],
        "outputs": {"action": layers[-1]["id"], "loss": "loss"},
    }
    torch.manual_seed(0)
    return build(Network.model_validate(document), SCHEMA, ("observation",)).train()


def test_dropout_and_statistics_are_those_of_evaluation() -> None:
    built = network(
        {"id": "norm", "kind": "BatchNorm1d"},
        {"id": "drop", "kind": "Dropout", "p": 0.5},
        {"id": "action", "kind": "Linear", "out_features": 1},
    )
    observation = torch.randn(5, 3)
    built({"observation": torch.randn(50, 3) * 3, "reward": torch.ones(50, 1)})  # statistics that are none of 0 and 1
    before = {name: value.clone() for name, value in built.state_dict().items()}
    policy = Policy(built, ("action",), CPU)
    with policy.acting():
        action = policy(observation)["action"]
    assert built.training
    assert all(module.training for module in built.modules())
    assert all(value.equal(before[name]) for name, value in built.state_dict().items())
    built.eval()
    assert action.equal(built({"observation": observation, "reward": torch.ones(5, 1)})["action"].detach())
    assert not action.requires_grad


def test_it_has_the_weights_of_the_moment_and_runs_no_other_node() -> None:
    built = network({"id": "action", "kind": "Linear", "out_features": 1})
    policy = Policy(built, ("action", "action"), CPU)
    with torch.no_grad():
        built.get_parameter("action.weight").zero_()
        built.get_parameter("action.bias").fill_(0.25)
    assert policy(torch.randn(4, 3))["action"].tolist() == [[0.25]] * 4  # without the reward, which only a loss reads
    assert not policy.is_random


def test_half_precision_is_told_in_float32() -> None:
    built = network({"id": "action", "kind": "Linear", "out_features": 1})
    observation = torch.randn(4, 3)
    action = Policy(built, ("action",), Precision(torch.device("cpu"), "bf16"))(observation)["action"]
    assert action.dtype is torch.float32
    assert action.equal(action.bfloat16().float())
    assert torch.allclose(action, Policy(built, ("action",), CPU)(observation)["action"], atol=0.05)
