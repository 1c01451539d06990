"""Fused kernels called directly give the bits of `Optimizer.step`."""

import copy
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import nn, optim

from workers.training.optim.fused_kernels import fused_step
from workers.training.optim.update_state import UpdateState

CASES = [
    (optim.Adam, {}),
    (optim.Adam, {"amsgrad": True, "weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-5}),
    (optim.Adam, {"maximize": True}),
    (optim.AdamW, {"weight_decay": 0.3}),
    (optim.SGD, {}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.5, "dampening": 0.3, "maximize": True}),
]


def _parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((40, 3), (3,), (), (2, 2, 2))]


def _optimizer(build: type[optim.Optimizer], settings: dict[str, Any]) -> optim.Optimizer:
    first, *others = _parameters()
    groups: list[dict[str, Any]] = [{"params": [first], "lr": 0.5}, {"params": others}]
    return build(groups, lr=0.01, fused=True, **settings)  # type: ignore[call-arg]


def _trained(optimizer: optim.Optimizer) -> list[nn.Parameter]:
    return [each for group in optimizer.param_groups for each in group["params"]]


def _set_gradients(optimizer: optim.Optimizer, step: int, without: int | None = None) -> None:
    generator = torch.Generator().manual_seed(step)
    for place, each in enumerate(_trained(optimizer)):
        gradient = torch.randn(each.shape, generator=generator)
        each.grad = None if place == without else gradient


def _assert_equal_bits(one: optim.Optimizer, two: optim.Optimizer) -> None:
    for own, other in zip(_trained(one), _trained(two), strict=True):
        assert torch.equal(own, other)
        states = one.state[own], two.state[other]
        assert states[0].keys() == states[1].keys()
        for name, value in states[0].items():
            assert value is states[1][name] is None or torch.equal(value, states[1][name]), name


@pytest.mark.parametrize(("build", "settings"), CASES, ids=str)
def test_steps_are_those_of_the_optimizer_to_the_bit(
    build: type[optim.Optimizer], settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = UpdateState(_optimizer(build, settings), [])
    other = _optimizer(build, settings)
    regular = Mock(wraps=state.optimizer.step)
    monkeypatch.setattr(state.optimizer, "step", regular)
    calls = []
    for step in range(12):
        for each in (state.optimizer, other):
            each.param_groups[1]["lr"] = 0.01 * (step + 1)  # as schedules do
            _set_gradients(each, step, without=2 if step == 6 else None)
        state.step_optimizer()
        other.step()
        _assert_equal_bits(state.optimizer, other)
        calls.append(regular.call_count)
    assert calls == [1] * 6 + [2] * 6  # the first one, and the one with a parameter without a gradient


@pytest.mark.parametrize(("build", "settings"), CASES, ids=str)
def test_a_loaded_state_is_the_one_that_changes(build: type[optim.Optimizer], settings: dict[str, Any]) -> None:
    state, other = UpdateState(_optimizer(build, settings), []), _optimizer(build, settings)
    stored = None
    for step in range(8):
        if step == 3:
            stored = copy.deepcopy(other.state_dict())
        if step == 5 and stored is not None:
            for each in (state.optimizer, other):
                each.load_state_dict(copy.deepcopy(stored))
        for each in (state.optimizer, other):
            _set_gradients(each, step)
        state.step_optimizer()
        other.step()
        _assert_equal_bits(state.optimizer, other)


def test_optimizers_that_are_not_fused_step_by_themselves() -> None:
    for optimizer in (optim.Adam(_parameters()), optim.SGD(_parameters(), fused=False), optim.NAdam(_parameters())):
        _set_gradients(optimizer, 0)
        optimizer.step()
        assert fused_step(optimizer) is None


def test_parameters_of_several_dtypes_are_left_to_the_optimizer() -> None:
    parameters = [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3, dtype=torch.float64))]
    state, other = UpdateState(optim.Adam(parameters, fused=True), parameters), copy.deepcopy(parameters)
    reference = optim.Adam(other, fused=True)
    for step in range(3):
        for group in (parameters, other):
            for each in group:
                each.grad = torch.full_like(each, step + 1.0)
        state.step_optimizer()
        reference.step()
    assert fused_step(state.optimizer) is None
    assert all(torch.equal(own, reference) for own, reference in zip(parameters, other, strict=True))
