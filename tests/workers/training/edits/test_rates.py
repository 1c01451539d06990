"""Rates across an edit: what a schedule has made of them goes on, and what the document changes changes."""

from typing import Any

import pytest

from tests.workers.training.edits.job_log import QUIET, JobLog, edit, stored_state
from tests.workers.training.harness import TrainingHarness, digits_job
from workers.training.assembly import InitialRates
from workers.training.edits.rates import RateChange


def initial(lr: float, groups: int = 1, schedule: dict[str, object] | None = None, **settings: object) -> InitialRates:
    group = {"lr": lr, "initial_lr": lr, "betas": (0.9, 0.999), **settings}
    return InitialRates(tuple(dict(group) for _ in range(groups)), (lr,) * groups, schedule)


def test_a_rate_that_nothing_has_moved_is_the_documents() -> None:
    (group,) = RateChange(initial(0.1), initial(0.3), [0]).groups(
        [{"lr": 0.1, "initial_lr": 0.1, "betas": [0.9, 0.999]}]
    )
    assert (group["lr"], group["initial_lr"]) == (0.3, 0.3)


def test_a_rate_that_a_schedule_has_moved_is_multiplied() -> None:
    present = {"lr": 0.04, "initial_lr": 0.1, "betas": [0.85, 0.999]}
    (group,) = RateChange(initial(0.1), initial(0.2), [0]).groups([present])
    assert (group["lr"], group["initial_lr"]) == (0.08, 0.2)
    assert group["betas"] == [0.85, 0.999]  # cycled


def test_a_setting_that_the_document_changes_is_the_documents() -> None:
    present = {"lr": 0.04, "initial_lr": 0.1, "betas": [0.85, 0.999], "weight_decay": 0}
    change = RateChange(initial(0.1, weight_decay=0), initial(0.1, weight_decay=0.5, betas=(0.8, 0.9)), [0])
    (group,) = change.groups([present])
    assert (group["lr"], group["weight_decay"], group["betas"]) == (0.04, 0.5, (0.8, 0.9))


def test_a_group_of_new_parameters_goes_on_like_the_first() -> None:
    change = RateChange(initial(0.1), initial(0.1, groups=2), [0, None])
    first, second = change.groups([{"lr": 0.025, "initial_lr": 0.1, "betas": [0.9, 0.999]}])
    assert (first["lr"], second["lr"], second["initial_lr"]) == (0.025, 0.025, 0.1)


def test_a_schedule_keeps_its_place_and_gets_the_new_length() -> None:
    old = {"T_max": 10, "last_epoch": 0, "base_lrs": [0.1]}
    new = {"T_max": 20, "last_epoch": 0, "base_lrs": [0.2]}
    change = RateChange(initial(0.1, schedule=old), initial(0.2, schedule=new), [0])
    present = {"T_max": 10, "last_epoch": 7, "base_lrs": [0.1]}
    assert change.schedule(present) == {"T_max": 20, "last_epoch": 7, "base_lrs": [0.2]}


def test_a_warm_up_is_multiplied_with_the_schedule_in_it() -> None:
    old = {"done": 0, "whole": [0.1], "rates": {"base_lrs": [0.1], "last_epoch": 0}}
    change = RateChange(initial(0.1, schedule=old), initial(0.05, schedule=old), [0])
    present = {"done": 3, "whole": [0.08], "rates": {"base_lrs": [0.1], "last_epoch": 3}}
    after = change.schedule(present)
    assert after == {"done": 3, "whole": [0.04], "rates": {"base_lrs": [0.05], "last_epoch": 3}}


SCHEDULES = [
    {"kind": "OneCycleLR", "max_lr": 0.1},
    {"kind": "CyclicLR", "base_lr": 0.001, "max_lr": 0.01, "step_size_up": 4},
    {"kind": "CosineAnnealingLR"},
    {"kind": "PolynomialLR"},
    {
        "kind": "SequentialLR",
        "interval": "step",
        "milestones": [4],
        "schedulers": [{"kind": "LinearLR", "total_iters": 4}, {"kind": "ExponentialLR", "gamma": 0.9}],
    },
    {"kind": "ChainedScheduler", "schedulers": [{"kind": "CosineAnnealingLR", "eta_min": 0.0}]},
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda each: each["kind"])
def test_a_group_with_a_rate_of_its_own_goes_on_beside_one_whose_rate_is_set(
    laboratory: TrainingHarness, schedule: dict[str, Any]
) -> None:
    plan = {
        "steps": 12,
        "optimizer": {"kind": "Adam", "lr": 0.01},
        "schedule": schedule,
        "groups": [{"nodes": ["linear2"], "lr": 0.002}],
        "checkpoint": QUIET | {"every_steps": 9},
    }
    set_rate = {"op": "set", "path": "training.optimizer.lr", "value": 0.02}
    rates = []
    for edits in ((), (edit(1, set_rate, at={"step": 6}),)):
        log = JobLog(laboratory, digits_job(training=plan), edits)
        log.run()
        assert log.rejected == []
        saved = next(each for each in log.saved if each.step == 9)
        groups = stored_state(laboratory, saved)[1]["optimizer"]["param_groups"]
        rates.append([group["lr"] for group in groups])
    (plain, own), (twice, kept) = rates
    assert kept == own
    assert twice == pytest.approx(2 * plain)


@pytest.mark.parametrize(("at", "factors"), [(2, [0.1 + 0.9 * 2 / 4, 0.1 + 0.9 * 3 / 4, 1.0]), (6, [1.0, 1.0, 1.0])])
def test_a_new_schedule_does_not_repeat_the_warm_up(laboratory: TrainingHarness, at: int, factors: list[float]) -> None:
    plan = {
        "steps": 10,
        "optimizer": {"kind": "SGD", "lr": 0.1},
        "schedule": {"kind": "ConstantLR", "factor": 1.0},
        "warmup": {"steps": 4, "start_factor": 0.1},
        "checkpoint": QUIET | {"every_steps": 1},
    }
    change = {"op": "set", "path": "training.schedule", "value": {"kind": "PolynomialLR"}}
    log = JobLog(laboratory, digits_job(training=plan), (edit(1, change, at={"step": at}),))
    log.run()
    assert log.rejected == []
    saved = [each for each in log.saved if each.revision == 2][:3]
    rates = [stored_state(laboratory, each)[1]["optimizer"]["param_groups"][0]["lr"] for each in saved]
    left = 10 - at
    expected = [0.1 * factor * (1 - step / left) for step, factor in enumerate(factors)]
    assert rates == pytest.approx(expected)
