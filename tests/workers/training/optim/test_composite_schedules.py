"""Schedules that are made of others, beside torch's own."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    SequentialLR,
    StepLR,
)

from app.spec.training.schedules import SCHEDULE_CLASSES
from tests.workers.training.optim.test_schedules import PER_EPOCH, STEPS, advance
from workers.training.optim.schedules import build_schedule

SEQUENCE = {
    "kind": "SequentialLR",
    "interval": "step",
    "milestones": [3, 8],
    "schedulers": [
        {"kind": "LinearLR", "start_factor": 0.1, "total_iters": 3},
        "CosineAnnealingLR",
        {"kind": "ExponentialLR", "gamma": 0.5},
    ],
}


def two_groups() -> Optimizer:
    groups = [{"params": [nn.Parameter(torch.ones(2))]}, {"params": [nn.Parameter(torch.ones(2))], "lr": 0.3}]
    return SGD(groups, lr=0.1)


def rates_of(spec: dict[str, Any], steps: int = STEPS) -> list[list[float]]:
    optimizer = two_groups()
    parsed = SCHEDULE_CLASSES[spec["kind"]].model_validate(spec)
    schedule = build_schedule(parsed, optimizer, steps, PER_EPOCH, has_momentum=False)
    rates = []
    for step in range(steps):
        advance(schedule, optimizer, step, step + 1)
        rates.append([group["lr"] for group in optimizer.param_groups])
    return rates


def torch_rates(build: Any, moves: Any = lambda step: True) -> list[list[float]]:
    optimizer = two_groups()
    scheduler: LRScheduler = build(optimizer)
    rates = []
    for step in range(STEPS):
        optimizer.step()
        if moves(step):
            scheduler.step()
        rates.append([group["lr"] for group in optimizer.param_groups])
    return rates


def test_a_sequence_is_that_of_torch_to_the_bit() -> None:
    def build(optimizer: Optimizer) -> LRScheduler:
        warm, falls = LinearLR(optimizer, 0.1, total_iters=3), CosineAnnealingLR(optimizer, 5)
        return SequentialLR(optimizer, [warm, falls, ExponentialLR(optimizer, 0.5)], [3, 8])

    assert rates_of(SEQUENCE) == torch_rates(build)


def test_a_sequence_counts_epochs_by_default_and_fills_in_the_lengths_of_its_parts() -> None:
    def build(optimizer: Optimizer) -> LRScheduler:
        return SequentialLR(optimizer, [ConstantLR(optimizer, 0.5), CosineAnnealingLR(optimizer, 2)], [1])

    parts = [{"kind": "ConstantLR", "factor": 0.5}, "CosineAnnealingLR"]
    spec = {"kind": "SequentialLR", "milestones": [1], "schedulers": parts}
    assert rates_of(spec) == torch_rates(build, lambda step: (step + 1) % PER_EPOCH == 0)


def test_a_chain_is_that_of_torch_to_the_bit() -> None:
    def build(optimizer: Optimizer) -> LRScheduler:
        return ChainedScheduler([ConstantLR(optimizer, 0.1, 4), ExponentialLR(optimizer, 0.9)], optimizer)

    parts = [
        {"kind": "ConstantLR", "factor": 0.1, "total_iters": 4, "interval": "step"},
        {"kind": "ExponentialLR", "gamma": 0.9, "interval": "step"},
    ]
    assert rates_of({"kind": "ChainedScheduler", "schedulers": parts}) == torch_rates(build)


def test_the_parts_of_a_chain_have_intervals_of_their_own() -> None:
    optimizer = two_groups()
    warm, drops = LinearLR(optimizer, 0.25, total_iters=6), StepLR(optimizer, 2, 0.1)
    expected = []
    for step in range(STEPS):
        optimizer.step()
        warm.step()
        if (step + 1) % PER_EPOCH == 0:
            drops.step()
        expected.append([group["lr"] for group in optimizer.param_groups])
    parts = [
        {"kind": "LinearLR", "start_factor": 0.25, "total_iters": 6, "interval": "step"},
        {"kind": "StepLR", "step_size": 2},
    ]
    assert rates_of({"kind": "ChainedScheduler", "schedulers": parts}) == expected


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"kind": "SequentialLR", "schedulers": ["LinearLR"], "milestones": [2]}, "0 milestones"),
        ({"kind": "SequentialLR", "schedulers": ["LinearLR", "LinearLR"], "milestones": [0]}, "above 0"),
        ({"kind": "SequentialLR", "schedulers": ["LinearLR"] * 3, "milestones": [5, 5]}, "above 0"),
        ({"kind": "SequentialLR", "schedulers": ["LinearLR", "ReduceLROnPlateau"], "milestones": [5]}, "evaluation"),
        ({"kind": "ChainedScheduler", "schedulers": [{"kind": "OneCycleLR", "max_lr": 1}]}, "sets the rate itself"),
        ({"kind": "ChainedScheduler", "schedulers": []}, "at least 1"),
        (
            {
                "kind": "SequentialLR",
                "schedulers": ["LinearLR", {"kind": "CosineAnnealingLR", "interval": "step"}],
                "milestones": [5],
            },
            "counts in epochs",
        ),
    ],
)
def test_parts_that_do_not_fit(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SCHEDULE_CLASSES[spec["kind"]].model_validate(spec)
