import copy

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam

from app.spec.training.plan import Training
from workers.training.optim.gradients import NormClipping, ValueClipping, gradient_changes
from workers.training.optim.update import ClosureStep, FiniteCheck, OptimizerStep
from workers.training.optim.update_state import UpdateState

OPTIMIZERS = {
    "fused Adam": lambda parameters: Adam(parameters, lr=0.1, fused=True),
    "fused Adam with a long memory": lambda parameters: Adam(parameters, lr=0.1, amsgrad=True, fused=True),
    "plain SGD": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9),
}


def unreachable_closure() -> Tensor:
    raise AssertionError("a step of this kind looks once")


def step(update: OptimizerStep, state: UpdateState, factor: float) -> Tensor | None:
    loss = (state.parameters[0] * factor).sum()
    update.backward(state, loss)
    return update.step(state, loss.detach(), unreachable_closure, 0)


def build_state(name: str) -> tuple[nn.Parameter, UpdateState]:
    parameter = nn.Parameter(torch.ones(3))
    return parameter, UpdateState(OPTIMIZERS[name]([parameter]), [parameter])


CHANGES = {
    "": (),
    "norm": (NormClipping(1.0),),
    "value": (ValueClipping(1.0),),
    "all": gradient_changes(
        Training.model_validate({"l1": 0.1, "clip_value": 3.0, "clip_norm": 1.0, "gradient_noise": {"eta": 0.1}}),
        frozenset({0}),
        7,
        0,
    ),
}


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize(
    ("name", "guard"),
    [
        *((name, FiniteCheck.HOST) for name in OPTIMIZERS),
        ("fused Adam", FiniteCheck.DEVICE),
        ("fused Adam with a long memory", FiniteCheck.DEVICE),
    ],
)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_leaves_no_trace(name: str, guard: FiniteCheck, bad: float, changes: str) -> None:
    update = OptimizerStep(CHANGES[changes], guard)
    parameter, state = build_state(name)
    other, same = build_state(name)
    assert step(update, state, bad) == 1  # also as the very first step
    assert parameter.eq(1).all()
    for factor in (1.0, 2.0):
        assert step(update, state, factor) == 0
        step(update, same, factor)
    before = parameter.detach().clone()
    assert step(update, state, bad) == 1
    assert parameter.equal(before)
    step(update, state, 0.5)
    step(update, same, 0.5)
    assert parameter.equal(other)
    assert parameter.grad is None
    assert state.optimizer.state_dict()["state"].keys() == {0}


def test_nobody_looks_unless_asked() -> None:
    parameter, state = build_state("plain SGD")
    assert step(OptimizerStep(), state, float("nan")) is None
    assert parameter.isnan().all()


def test_gradients_are_clipped_to_a_norm() -> None:
    parameter, state = build_state("plain SGD")
    step(OptimizerStep((NormClipping(0.5),)), state, 100.0)
    assert (1 - parameter).norm().item() == pytest.approx(0.05)


def test_gradients_add_up_until_the_step() -> None:
    update = OptimizerStep()
    parameter, state = build_state("plain SGD")
    twice = copy.deepcopy(parameter)
    for _ in range(2):
        update.backward(state, parameter.sum())
    update.step(state, torch.tensor(0.0), unreachable_closure, 0)
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
        update.backward(state, loss)
        return loss.detach()

    def closure() -> float:
        plain.zero_grad()
        loss = loss_of(theirs)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    optimizer, plain = LBFGS([ours], line_search_fn="strong_wolfe"), LBFGS([theirs], line_search_fn="strong_wolfe")
    update, state = ClosureStep(), UpdateState(optimizer, [ours])
    first = loss_of(ours)
    update.backward(state, first)
    assert update.step(state, first.detach(), again, 0) is None
    plain.step(closure)
    assert looks == optimizer.state[ours]["func_evals"] - 1
    assert ours.equal(theirs)
    assert ours.tolist() == pytest.approx([1.0, 5.0])
    assert ours.grad is None
