"""Actions: clamped, checked, drawn."""

import pytest
import torch

from app.errors import DataError, NumericError
from app.spec.data.environments.spaces import BoxSpace, box, discrete
from workers.environments.actions import ActionSpace


def test_actions_are_clamped_to_the_space() -> None:
    space = ActionSpace(BoxSpace(kind="box", shape=(2,), low=(-1.0, 0.0), high=(1.0, 0.5)))
    actions = torch.tensor([[-3.0, -3.0], [0.25, 0.25], [3.0, 3.0]], dtype=torch.float64)
    given = actions.clone()
    fitted = space.fit(actions)
    assert fitted.tolist() == [[-1.0, 0.0], [0.25, 0.25], [1.0, 0.5]]
    assert fitted.dtype == torch.float32
    assert actions.equal(given)


def test_a_bound_may_be_missing() -> None:
    assert ActionSpace(box(1, low=0.0)).fit(torch.tensor([[-1.0], [1e9]])).tolist() == [[0.0], [1e9]]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_action_that_is_not_finite_is_named(value: float) -> None:
    actions = torch.zeros(3, 2)
    actions[1, 1] = value
    with pytest.raises(NumericError, match="the action of copy 1 is not a finite number") as raised:
        ActionSpace(box(2, low=-1.0, high=1.0)).fit(actions)
    assert raised.value.pointer == "/data/action"


def test_large_numbers_are_finite() -> None:
    """Their sum is not."""
    assert ActionSpace(box(2, low=-1.0, high=1.0)).fit(torch.full((1, 2), 3e38)).tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    ("actions", "detail"),
    [
        (torch.tensor([0, 3]), "the action 3 is not one of 0 to 2"),
        (torch.tensor([-1, 2]), "the action -1 is not one of 0 to 2"),
        (torch.tensor([0.0, 1.0]), "the actions are float32, and class numbers are int64"),
        (torch.tensor([[0], [1]]), r"the actions have shape \(2, 1\), and those of the space \(N\)"),
    ],
)
def test_class_numbers_are_checked(actions: torch.Tensor, detail: str) -> None:
    with pytest.raises(DataError, match=detail):
        ActionSpace(discrete(3)).fit(actions)


def test_shapes_are_checked() -> None:
    with pytest.raises(DataError, match=r"the actions have shape \(2, 2\), and those of the space \(N, 3\)"):
        ActionSpace(box(3)).fit(torch.zeros(2, 2))


def test_draws_are_uniform() -> None:
    generator = torch.Generator().manual_seed(0)
    space = ActionSpace(BoxSpace(kind="box", shape=(2,), low=(-1.0, 0.0), high=(1.0, 0.5)))
    draws = space.uniform(10_000, generator)
    assert draws.shape == (10_000, 2)
    assert draws.amin(0).tolist() == pytest.approx([-1.0, 0.0], abs=1e-3)
    assert draws.amax(0).tolist() == pytest.approx([1.0, 0.5], abs=1e-3)
    assert draws.mean(0).tolist() == pytest.approx([0.0, 0.25], abs=0.03)
    counts = ActionSpace(discrete(4)).uniform(10_000, generator).bincount()
    assert (counts / 2500 - 1).abs().max() < 0.1
