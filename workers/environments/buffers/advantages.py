"""Advantages and returns of the steps of episodes."""

import numpy as np
import torch
from torch import Tensor

EPSILON = 1e-8  # added to a standard deviation


def generalized_advantages(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lambda_: float,
) -> Tensor:
    """Return advantages (T, N), on the CPU, by generalised advantage estimation.

    The method is equation 16 of Schulman et al., "High-dimensional continuous control using generalized advantage
    estimation", ICLR 2016. All arguments are (T, N): T steps of N copies. `values` are those of the observations that
    the actions answered to; `next_values` are those of the observations that followed in the same episode, which count
    where it has not terminated: an episode that was truncated could have gone on. Sums do not reach beyond the end of
    an episode.
    """
    deltas = rewards + gamma * next_values * (~terminated) - values
    decays = gamma * lambda_ * (~(terminated | truncated))
    return _accumulate(deltas, decays)


def discounted_returns(rewards: Tensor, gamma: float) -> Tensor:
    """Return the discounted rewards (T) of one episode from each step on, for its rewards (T)."""
    return _accumulate(rewards, torch.full_like(rewards, gamma))


def _accumulate(values: Tensor, decays: Tensor) -> Tensor:
    """Return sums (T, …) from the end: each value, and the sum after it times its decay."""
    own, factors = values.numpy(), decays.numpy()  # on small arrays NumPy is faster than torch
    sums = np.empty_like(own)
    following = np.zeros_like(own[0])
    for step in range(len(own) - 1, -1, -1):
        following = own[step] + factors[step] * following
        sums[step] = following
    return torch.from_numpy(sums)


def normalize(values: Tensor) -> Tensor:
    """Return values with zero mean and unit standard deviation; a single one as it is."""
    if values.numel() < 2:
        return values
    return (values - values.mean()) / (values.std() + EPSILON)
