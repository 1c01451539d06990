"""Edited trainings against networks that are built by hand in plain torch, with copied weights and moments.

The arithmetic is the same, so the bits are: five steps after the edit everything is equal, the optimiser's state too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim
from torch.optim import lr_scheduler

from tests.workers.training.edits.job_log import QUIET, JobLog, edit, stored_state
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, digits_job
from workers.training.state import NETWORK_PREFIX, strip_prefix

LAYERS = [
    {"kind": "Flatten"},
    {"kind": "Linear", "id": "first", "out_features": 8},
    {"kind": "ReLU", "id": "relu"},
    {"kind": "Linear", "id": "last", "out_features": 10},
]
EDITED_AT, STEPS = 5, 10
Weights = dict[str, Tensor]
Moments = dict[str, dict[str, Tensor]]  # by parameter


@dataclass
class ByHand:
    """A network in plain torch, where it stood at the edit."""

    network: nn.Module
    optimizer: optim.Optimizer
    scheduler: lr_scheduler.LRScheduler | None = None


BuildByHand = Callable[[Weights, Moments], ByHand]


@dataclass
class Case:
    """An edit, and what it means by hand."""

    operations: list[dict[str, Any]]
    build: BuildByHand
    optimizer: dict[str, Any] = field(default_factory=lambda: {"kind": "Adam", "lr": 0.01})
    plan: dict[str, Any] = field(default_factory=dict)


def network(weights: Weights, names: tuple[str, ...] = ("first", "relu", "last")) -> nn.Module:
    """Return a chain of linear layers with these weights; a ReLU where a name is that of one."""
    parts = {"flatten": nn.Flatten()} | {
        name: nn.ReLU() if name == "relu" else nn.Linear(*reversed(weights[f"{name}.weight"].shape)) for name in names
    }
    built = nn.Sequential()
    for name, part in parts.items():
        built.add_module(name, part)
    built.load_state_dict(weights)
    return built


def with_moments(built: nn.Module, optimizer: optim.Optimizer, moments: Moments) -> ByHand:
    """Give the optimiser the moments of parameters, by name."""
    for name, parameter in built.named_parameters():
        if name in moments:
            optimizer.state[parameter] = {key: value.clone() for key, value in moments[name].items()}
    return ByHand(built, optimizer)


def adam(built: nn.Module, lr: float = 0.01) -> optim.Optimizer:
    return optim.Adam([each for each in built.parameters() if each.requires_grad], lr=lr, fused=True)


def insert_identity(weights: Weights, moments: Moments) -> ByHand:
    weights |= {"more.weight": torch.eye(8), "more.bias": torch.zeros(8)}
    built = network(weights, ("first", "relu", "more", "last"))
    return with_moments(built, adam(built), moments)


def insert_with_momentum(weights: Weights, moments: Moments) -> ByHand:
    weights |= {"more.weight": torch.eye(8), "more.bias": torch.zeros(8)}
    moments |= {name: {"momentum_buffer": torch.zeros_like(weights[name])} for name in ("more.weight", "more.bias")}
    built = network(weights, ("first", "relu", "more", "last"))
    return with_moments(built, optim.SGD(built.parameters(), lr=0.05, momentum=0.9, fused=True), moments)


def freeze_first(weights: Weights, moments: Moments) -> ByHand:
    built = network(weights)
    built.get_submodule("first").requires_grad_(False)
    return with_moments(built, adam(built), {name: each for name, each in moments.items() if "last" in name})


def unfreeze_first(weights: Weights, moments: Moments) -> ByHand:
    assert all("last" in name for name in moments)
    built = network(weights)
    return with_moments(built, adam(built), moments)


def higher_rate(weights: Weights, moments: Moments) -> ByHand:
    built = network(weights)
    return with_moments(built, adam(built, 0.03), moments)


def higher_rate_on_a_cosine(weights: Weights, moments: Moments) -> ByHand:
    built = network(weights)
    by_hand = with_moments(built, adam(built, 0.01), moments)
    scheduler = lr_scheduler.CosineAnnealingLR(by_hand.optimizer, T_max=STEPS)
    for _ in range(EDITED_AT):
        by_hand.optimizer.step()  # without gradients it does nothing
        scheduler.step()
    (group,) = by_hand.optimizer.param_groups
    group["lr"] *= 0.03 / 0.01
    scheduler.base_lrs = [0.03]
    return ByHand(built, by_hand.optimizer, scheduler)


def another_optimizer(weights: Weights, moments: Moments) -> ByHand:
    built = network(weights)
    return ByHand(built, optim.RMSprop(built.parameters(), lr=0.002))


def new_schedule(weights: Weights, moments: Moments) -> ByHand:
    built = network(weights)
    by_hand = with_moments(built, adam(built), moments)
    scheduler = lr_scheduler.PolynomialLR(by_hand.optimizer, total_iters=STEPS - EDITED_AT)
    return ByHand(built, by_hand.optimizer, scheduler)


def twice_as_wide(weights: Weights, moments: Moments) -> ByHand:
    """Unit i + 8 is a copy of unit i; what reads the copies is halved, and so is what they are to change."""
    copies = {"first.weight": 0, "first.bias": 0, "last.weight": 1}
    for name, axis in copies.items():
        read = name == "last.weight"
        weights[name] = torch.cat([weights[name]] * 2, axis) * (0.5 if read else 1.0)
        factor = 1.0 if read else 0.5  # of gradients
        entry = moments[name]
        entry["exp_avg"] = torch.cat([entry["exp_avg"]] * 2, axis) * factor
        entry["exp_avg_sq"] = torch.cat([entry["exp_avg_sq"]] * 2, axis) * factor**2
    built = network(weights)
    return with_moments(built, adam(built), moments)


IDENTITY = {
    "op": "insert",
    "after": "relu",
    "node": {"id": "more", "kind": "Linear", "out_features": 8},
    "init": "identity",
}
RATE = {"op": "set", "path": "training.optimizer.lr", "value": 0.03}
CASES = {
    "identity insert": Case([IDENTITY], insert_identity),
    "insert beside momentum": Case([IDENTITY], insert_with_momentum, {"kind": "SGD", "lr": 0.05, "momentum": 0.9}),
    "freeze": Case([{"op": "freeze", "nodes": ["first"]}], freeze_first),
    "unfreeze": Case(
        [{"op": "unfreeze", "nodes": ["first"]}],
        unfreeze_first,
        plan={"groups": [{"nodes": ["first"], "frozen": True}]},
    ),
    "rate": Case([RATE], higher_rate),
    "rate on a cosine": Case([RATE], higher_rate_on_a_cosine, plan={"schedule": {"kind": "CosineAnnealingLR"}}),
    "swap": Case([{"op": "swap_optimizer", "to": {"kind": "RMSprop", "lr": 0.002}}], another_optimizer),
    "new schedule": Case(
        [{"op": "set", "path": "training.schedule", "value": {"kind": "PolynomialLR"}}],
        new_schedule,
        plan={"schedule": {"kind": "ConstantLR", "factor": 1.0}},
    ),
    "twice as wide": Case([{"op": "widen", "node": "first", "to": 16}], twice_as_wide),
}


@pytest.mark.parametrize("name", CASES)
def test_an_edited_training_is_the_one_built_by_hand(laboratory: TrainingHarness, name: str) -> None:
    case = CASES[name]
    plan = {"steps": STEPS, "optimizer": case.optimizer, "checkpoint": QUIET, **case.plan}
    log = JobLog(laboratory, digits_job(LAYERS, training=plan), (edit(1, *case.operations, at={"step": EDITED_AT}),))
    attempt = log.run()
    assert log.rejected == []
    before, _, final = log.saved
    tensors, _ = stored_state(laboratory, before)
    by_hand = case.build(strip_prefix(NETWORK_PREFIX, tensors), _moments(tensors, case))
    _train_by_hand(by_hand, attempt)
    after, _ = stored_state(laboratory, final)
    weights = strip_prefix(NETWORK_PREFIX, after)
    assert weights.keys() == by_hand.network.state_dict().keys()
    for key, value in by_hand.network.state_dict().items():
        assert torch.equal(value, weights[key]), key
    _assert_equal_moments(by_hand, after)


def _moments(tensors: Mapping[str, Tensor], case: Case) -> Moments:
    frozen = "groups" in case.plan
    names = ["last.weight", "last.bias"] if frozen else ["first.weight", "first.bias", "last.weight", "last.bias"]
    moments: Moments = {}
    for key, value in strip_prefix("optimizer/", tensors).items():
        index, _, kind = key.partition("/")
        moments.setdefault(names[int(index)], {})[kind] = value
    return moments


def _train_by_hand(by_hand: ByHand, attempt: TrainingAttempt) -> None:
    source, loss = attempt.prepared.state.source, nn.CrossEntropyLoss()
    for step in range(EDITED_AT, STEPS):
        ((inputs, targets, _),) = source.batches(step)
        by_hand.optimizer.zero_grad()
        loss(by_hand.network(*inputs.values()), *targets.values()).backward()
        by_hand.optimizer.step()
        if by_hand.scheduler is not None:
            by_hand.scheduler.step()


def _assert_equal_moments(by_hand: ByHand, after: Mapping[str, Tensor]) -> None:
    stored = strip_prefix("optimizer/", after)
    count = 0
    for index, parameter in enumerate(by_hand.optimizer.param_groups[0]["params"]):
        for key, value in by_hand.optimizer.state[parameter].items():
            assert torch.equal(value, stored[f"{index}/{key}"]), (index, key)
            count += 1
    assert count == len(stored)
