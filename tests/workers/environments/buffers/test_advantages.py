"""Advantages against the definition, written as plain sums over the rest of each episode."""

import pytest
import torch
from torch import Tensor

from workers.environments.buffers.advantages import discounted_returns, generalized_advantages, normalize


def reference(
    rewards: Tensor,
    values: Tensor,
    following: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    decay: float,
) -> Tensor:
    """Return advantages (T, N): sums of (gamma * lambda)^k times the temporal difference k steps later."""
    steps, copies = rewards.shape
    result = torch.zeros(steps, copies, dtype=torch.float64)
    for copy in range(copies):
        for start in range(steps):
            factor = 1.0
            for step in range(start, steps):
                bootstrap = 0.0 if terminated[step, copy] else following[step, copy].item()
                delta = rewards[step, copy].item() + gamma * bootstrap - values[step, copy].item()
                result[start, copy] += factor * delta
                factor *= gamma * decay
                if terminated[step, copy] or truncated[step, copy]:
                    break
    return result


@pytest.mark.parametrize(("gamma", "decay"), [(0.99, 0.95), (1.0, 1.0), (0.9, 0.0)])
def test_advantages_are_the_sums(gamma: float, decay: float) -> None:
    generator = torch.Generator().manual_seed(1)
    rewards, values, following = (torch.randn(40, 3, generator=generator) for _ in range(3))
    draws = torch.rand(40, 3, generator=generator)
    terminated, truncated = draws < 0.1, draws > 0.9
    own = generalized_advantages(rewards, values, following, terminated, truncated, gamma, decay)
    expected = reference(rewards, values, following, terminated, truncated, gamma, decay)
    assert own.dtype == torch.float32
    torch.testing.assert_close(own.double(), expected, rtol=1e-5, atol=1e-5)


def test_the_end_of_an_episode_matters() -> None:
    """By hand: one step, reward 1, value 2, next value 10, gamma 0.5."""
    one = [torch.tensor([[each]]) for each in (1.0, 2.0, 10.0)]
    yes, no = torch.tensor([[True]]), torch.tensor([[False]])
    assert generalized_advantages(*one, yes, no, 0.5, 0.9).item() == -1.0
    assert generalized_advantages(*one, no, yes, 0.5, 0.9).item() == 4.0


def test_returns_to_go() -> None:
    assert discounted_returns(torch.tensor([1.0, 2.0, 4.0]), 0.5).tolist() == [3.0, 4.0, 4.0]


def test_normalisation() -> None:
    values = normalize(torch.tensor([1.0, 2.0, 3.0, 6.0]))
    assert values.mean().abs() < 1e-6
    assert abs(values.std().item() - 1) < 1e-6
    assert normalize(torch.tensor([3.0])).tolist() == [3.0]
    assert normalize(torch.tensor([3.0, 3.0])).tolist() == [0.0, 0.0]
