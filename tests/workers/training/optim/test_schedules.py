import json
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer, Rprop

from app.errors import BuildError
from app.spec.training.optimizers import OPTIMIZER_CLASSES
from app.spec.training.schedules import SCHEDULE_CLASSES
from workers.training.optim.learning_rate import LearningRateSchedule
from workers.training.optim.optimizers import build_optimizer
from workers.training.optim.schedules import SCHEDULES, ChainedSchedule, TorchSchedule, build_schedule, scale_by_group

REQUIRED: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 2},
    "MultiStepLR": {"milestones": [2, 3, 3]},
    "ExponentialLR": {"gamma": 0.5},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "ConstantLR": {"total_iters": 2},
    "OneCycleLR": {"max_lr": 0.5},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.5, "step_size_up": 3},
    "ReduceLROnPlateau": {"patience": 0},
    "SequentialLR": {
        "schedulers": [{"kind": "LinearLR", "total_iters": 2}, {"kind": "ExponentialLR", "gamma": 0.5}],
        "milestones": [3],
        "interval": "step",
    },
    "ChainedScheduler": {
        "schedulers": [{"kind": "ConstantLR", "total_iters": 2}, {"kind": "CosineAnnealingLR", "eta_min": 0.0}]
    },
}
STEPS, PER_EPOCH = 12, 4


def build_schedule_for(kind: str, **settings: Any) -> tuple[TorchSchedule | ChainedSchedule, Optimizer]:
    optimizer = SGD([nn.Parameter(torch.ones(2))], lr=0.1)
    spec = SCHEDULE_CLASSES[kind].model_validate({"kind": kind, **REQUIRED.get(kind, {}), **settings})
    return build_schedule(spec, optimizer, STEPS, PER_EPOCH, has_momentum=False), optimizer


def advance(schedule: LearningRateSchedule, optimizer: Optimizer, start: int, stop: int) -> list[float]:
    rates = []
    for step in range(start, stop):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.after_step((step + 1) % PER_EPOCH == 0)
        if (step + 1) % PER_EPOCH == 0:
            schedule.after_evaluation({"val/loss": 1.0, "train/loss": 0.5})
    return rates


def test_language_and_workers_know_the_same_kinds() -> None:
    assert SCHEDULES.keys() == SCHEDULE_CLASSES.keys()


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        *((kind, {}) for kind in SCHEDULES),
        ("OneCycleLR", {"three_phase": True, "anneal_strategy": "linear"}),
        ("OneCycleLR", {"cycle_momentum": False}),
        ("CyclicLR", {"mode": "exp_range", "gamma": 0.9, "cycle_momentum": True, "base_momentum": 0.5}),
        ("ReduceLROnPlateau", {"threshold_mode": "abs", "threshold": 0.1, "eps": 0.0}),
    ],
)
def test_every_kind_moves_and_goes_on_where_it_stopped(kind: str, settings: dict[str, Any]) -> None:
    whole = advance(*build_schedule_for(kind, **settings), 0, STEPS)
    assert len(set(whole)) > 1
    first, optimizer = build_schedule_for(kind, **settings)
    rates = advance(first, optimizer, 0, 5)
    saved = json.loads(json.dumps(first.state_dict()))
    second, fresh = build_schedule_for(kind, **settings)
    fresh.load_state_dict(optimizer.state_dict())
    second.load_state_dict(saved)
    assert rates + advance(second, fresh, 5, STEPS) == whole


@pytest.mark.parametrize(
    ("interval", "expected"),
    [("epoch", [0.1] * 4 + [0.05] * 4 + [0.025] * 4), ("step", [0.1 * 0.5**step for step in range(12)])],
)
def test_the_interval_counts(interval: str, expected: list[float]) -> None:
    assert advance(*build_schedule_for("ExponentialLR", interval=interval), 0, STEPS) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["CosineAnnealingLR", "PolynomialLR"])
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_the_length_of_the_run_is_filled_in(kind: str, interval: str) -> None:
    schedule, optimizer = build_schedule_for(kind, interval=interval)
    advance(schedule, optimizer, 0, STEPS)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)


def test_one_cycle_rises_and_falls_over_the_whole_run() -> None:
    rates = advance(*build_schedule_for("OneCycleLR", pct_start=0.5), 0, STEPS)
    assert max(rates) == pytest.approx(0.5, rel=0.1)
    assert rates.index(max(rates)) in range(4, 8)
    assert rates[-1] < 1e-4


def test_a_plateau_follows_its_own_series() -> None:
    schedule, optimizer = build_schedule_for("ReduceLROnPlateau", monitor="val/accuracy", mode="max")
    for accuracy in (0.5, 0.6, 0.7):
        schedule.after_evaluation({"val/loss": 9.0, "val/accuracy": accuracy})
    assert optimizer.param_groups[0]["lr"] == 0.1
    schedule.after_evaluation({"val/accuracy": 0.6})
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)
    schedule.after_evaluation({"train/loss": 1.0})
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_momentum_moves_only_where_there_is_some() -> None:
    parameter = nn.Parameter(torch.ones(2))
    spec: Any = SCHEDULE_CLASSES["OneCycleLR"].model_validate({"kind": "OneCycleLR", "max_lr": 0.1})
    for settings, key, moves in (
        ({"kind": "SGD"}, "momentum", False),
        ({"kind": "SGD", "momentum": 0.9}, "momentum", True),
        ({"kind": "Adam"}, "betas", True),
    ):
        plan = OPTIMIZER_CLASSES[str(settings["kind"])].model_validate(settings)
        optimizer = build_optimizer(plan, [parameter], torch.device("cpu"))
        before = optimizer.param_groups[0][key]
        still = spec.model_copy(update={"cycle_momentum": False})
        build_schedule(still, optimizer, 10, 5, has_momentum=plan.has_momentum)
        assert optimizer.param_groups[0][key] == before
        build_schedule(spec, optimizer, 10, 5, has_momentum=plan.has_momentum)
        assert (optimizer.param_groups[0][key] != before) == moves


def test_momentum_is_refused_where_there_is_none() -> None:
    spec: Any = SCHEDULE_CLASSES["OneCycleLR"].model_validate(
        {"kind": "OneCycleLR", "max_lr": 0.1, "cycle_momentum": True}
    )
    with pytest.raises(BuildError, match="momentum"):
        build_schedule(spec, Rprop([nn.Parameter(torch.ones(2))]), 10, 5, has_momentum=False)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_groups_move_in_proportion(kind: str) -> None:
    optimizer = SGD(
        [{"params": [nn.Parameter(torch.ones(2))]}, {"params": [nn.Parameter(torch.ones(2))], "lr": 0.2}], lr=0.1
    )
    spec = SCHEDULE_CLASSES[kind].model_validate({"kind": kind, **REQUIRED.get(kind, {})})
    schedule = build_schedule(spec, optimizer, STEPS, PER_EPOCH, has_momentum=False)
    rates = set()
    for step in range(STEPS):
        advance(schedule, optimizer, step, step + 1)
        first, second = (group["lr"] for group in optimizer.param_groups)
        assert second == pytest.approx(2 * first)
        rates.add(first)
    assert len(rates) > 1


def test_a_single_group_keeps_its_proportion() -> None:
    parameter = nn.Parameter(torch.ones(2))
    assert scale_by_group(0.3, SGD([parameter], lr=0.1)) == 0.3
    assert scale_by_group(0.3, SGD([{"params": [parameter], "lr": 0.2}], lr=0.1)) == pytest.approx(0.6)
    assert scale_by_group(0.3, SGD([{"params": [parameter], "lr": 0.2}], lr=0.0)) == 0.3


def test_settings_that_torch_refuses_are_a_build_error() -> None:
    with pytest.raises(BuildError, match="LinearLR") as caught:
        build_schedule_for("LinearLR", start_factor=3.0)
    assert caught.value.pointer == "/training/schedule"
