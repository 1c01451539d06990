import copy

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, Optimizer

from workers.training.optim.update import ClosureStep, FiniteCheck, OptimizerStep

OPTIMIZERS = {
    "fused Adam": lambda parameters: Adam(parameters, lr=0.1, fused=True),
    "fused Adam with a long memory": lambda parameters: Adam(parameters, lr=0.1, amsgrad=True, fused=True),
    "plain SGD": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9),
}


def unreachable_closure() -> Tensor:
    raise AssertionError("a step of this kind looks once")


def step(update: OptimizerStep, factor: float) -> Tensor | None:
    loss = (update.parameters[0] * factor).sum()
    update.backward(loss)
    return update.step(loss.detach(), unreachable_closure)


def build_update(
    name: str, guard: FiniteCheck, clip_norm: float | None = None
) -> tuple[nn.Parameter, Optimizer, OptimizerStep]:
    parameter = nn.Parameter(torch.ones(3))
    optimizer = OPTIMIZERS[name]([parameter])
    return parameter, optimizer, OptimizerStep(optimizer, [parameter], clip_norm=clip_norm, finite_check=guard)


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize(
    ("name", "guard"),
    [
        *((name, FiniteCheck.HOST) for name in OPTIMIZERS),
        ("fused Adam", FiniteCheck.DEVICE),
        ("fused Adam with a long memory", FiniteCheck.DEVICE),
    ],
)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_leaves_no_trace(
    name: str, guard: FiniteCheck, bad: float, clip_norm: float | None
) -> None:
    parameter, optimizer, update = build_update(name, guard, clip_norm)
    other, _, same = build_update(name, guard, clip_norm)
    assert step(update, bad) == 1  # also as the very first step
    assert parameter.eq(1).all()
    for factor in (1.0, 2.0):
        assert step(update, factor) == 0
        step(same, factor)
    before = parameter.detach().clone()
    assert step(update, bad) == 1
    assert parameter.equal(before)
    step(update, 0.5)
    step(same, 0.5)
    assert parameter.equal(other)
    assert parameter.grad is None
    assert optimizer.state_dict()["state"].keys() == {0}


def test_nobody_looks_unless_asked() -> None:
    parameter, _, update = build_update("plain SGD", FiniteCheck.NOBODY)
    assert step(update, float("nan")) is None
    assert parameter.isnan().all()


def test_gradients_are_clipped_to_a_norm() -> None:
    parameter, _, update = build_update("plain SGD", FiniteCheck.NOBODY, clip_norm=0.5)
    step(update, 100.0)
    assert (1 - parameter).norm().item() == pytest.approx(0.05)


def test_gradients_add_up_until_the_step() -> None:
    parameter, _, update = build_update("plain SGD", FiniteCheck.NOBODY)
    twice = copy.deepcopy(parameter)
    for _ in range(2):
        update.backward(parameter.sum())
    update.step(torch.tensor(0.0), unreachable_closure)
    assert (twice - parameter).tolist() == pytest.approx([0.2] * 3)


def test_a_search_looks_as_often_as_it_likes_first_at_what_is_there() -> None:
    ours, theirs = nn.Parameter(torch.tensor([3.0, -2.0])), nn.Parameter(torch.tensor([3.0, -2.0]))
    looks = 0

    def loss_of(parameter: nn.Parameter) -> Tensor:
        return (parameter - torch.tensor([1.0, 5.0])).pow(2).mul(torch.tensor([1.0, 10.0])).sum()

    def again() -> Tensor:
        nonlocal looks
        looks += 1
        assert ours.grad is None
        loss = loss_of(ours)
        update.backward(loss)
        return loss.detach()

    def closure() -> float:
        plain.zero_grad()
        loss = loss_of(theirs)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    optimizer, plain = LBFGS([ours], line_search_fn="strong_wolfe"), LBFGS([theirs], line_search_fn="strong_wolfe")
    update = ClosureStep(optimizer)
    first = loss_of(ours)
    update.backward(first)
    assert update.step(first.detach(), again) is None
    plain.step(closure)
    assert looks == optimizer.state[ours]["func_evals"] - 1
    assert ours.equal(theirs)
    assert ours.tolist() == pytest.approx([1.0, 5.0])
    assert ours.grad is None
