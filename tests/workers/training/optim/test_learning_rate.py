"""A warm-up is a factor on the rates of any schedule, to the bit and wherever it is interrupted."""

import json
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer, lr_scheduler

from app.spec.training.plan import Training
from app.spec.training.schedules import SCHEDULES
from tests.workers.training.optim.test_schedules import PER_EPOCH, REQUIRED, STEPS, advance, build_schedule_for
from workers.training.optim.learning_rate import LearningRateSchedule, RunLength, build_learning_rate_schedule


def test_no_schedule_is_fine() -> None:
    assert (
        build_learning_rate_schedule(Training(), None, SGD([nn.Parameter(torch.ones(2))], lr=0.1), RunLength(1, 1))
        is None
    )


def build_warmup(kind: str | None, **warmup: Any) -> tuple[LearningRateSchedule, Optimizer]:
    optimizer = SGD(
        [{"params": [nn.Parameter(torch.ones(2))]}, {"params": [nn.Parameter(torch.ones(2))], "lr": 0.2}], lr=0.1
    )
    schedule = {"kind": kind, **REQUIRED.get(kind, {})} if kind is not None else None
    plan = Training.model_validate({"schedule": schedule, "warmup": {"start_factor": 0.2, **warmup}})
    rates = build_learning_rate_schedule(plan, plan.average, optimizer, RunLength(STEPS, PER_EPOCH))
    assert rates is not None
    return rates, optimizer


KINDS_WITHOUT_WARMUP = [None, *sorted(kind for kind, row in SCHEDULES.items() if not row.has_warmup)]


@pytest.mark.parametrize("kind", KINDS_WITHOUT_WARMUP)
@pytest.mark.parametrize("length", [{"steps": 5}, {"epochs": 2}])
def test_a_warm_up_is_a_factor_on_any_schedule(kind: str | None, length: dict[str, int]) -> None:
    steps = length.get("steps", 8)
    plain = advance(*build_schedule_for(kind), 0, STEPS) if kind is not None else [0.1] * STEPS
    rates = advance(*build_warmup(kind, **length), 0, STEPS)
    factors = [min(1.0, 0.2 + 0.8 * step / steps) for step in range(STEPS)]
    assert rates == pytest.approx([rate * factor for rate, factor in zip(plain, factors, strict=True)])
    assert rates[steps:] == plain[steps:]  # to the bit


def test_a_warm_up_is_that_of_torch() -> None:
    optimizer = SGD([nn.Parameter(torch.ones(2))], lr=0.1)
    theirs = lr_scheduler.LinearLR(optimizer, start_factor=0.2, total_iters=5)
    expected = []
    for _ in range(STEPS):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    assert advance(*build_warmup(None, steps=5), 0, STEPS) == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS_WITHOUT_WARMUP)
@pytest.mark.parametrize("stop", [0, 3, 4, 7])
def test_a_warm_up_goes_on_where_it_stopped(kind: str | None, stop: int) -> None:
    whole = advance(*build_warmup(kind, steps=6), 0, STEPS)
    first, optimizer = build_warmup(kind, steps=6)
    rates = advance(first, optimizer, 0, stop)
    saved = json.loads(json.dumps(first.state_dict()))
    second, fresh = build_warmup(kind, steps=6)
    fresh.load_state_dict(optimizer.state_dict())
    second.load_state_dict(saved)
    assert rates + advance(second, fresh, stop, STEPS) == whole
    assert fresh.param_groups[1]["lr"] == pytest.approx(2 * fresh.param_groups[0]["lr"])
