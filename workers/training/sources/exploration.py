"""Exploration: what is added to the actions of a policy when experience is collected."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from app.spec.data.environments.environment import EnvironmentData
from workers.environments.actions import ActionSpace


class Exploration:
    """The actions of a policy as they are: what others change. Actions (N, *action) are of N copies, on the CPU."""

    def __call__(self, actions: Tensor, step: int, generator: torch.Generator) -> Tensor:
        """Return the actions to be done in step `step` of the training (from 0), which need not lie in the space."""
        return actions

    def begin_episodes(self, copies: Iterable[int]) -> None:
        """Take into account that these copies begin another episode."""

    def state_tensors(self) -> dict[str, Tensor]:
        """Return what `load` needs."""
        return {}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a state."""


@dataclass(frozen=True)
class GaussianExploration(Exploration):
    """Independent normal noise (Fujimoto, van Hoof & Meger 2018), in halves of the range."""

    scale: Tensor  # the standard deviation in the units of the action, along the last dimension

    def __call__(self, actions: Tensor, step: int, generator: torch.Generator) -> Tensor:
        """Return the actions with noise."""
        return actions + self.scale * torch.randn(actions.shape, generator=generator)


@dataclass
class OrnsteinUhlenbeckExploration(Exploration):
    """Noise that drifts from step to step (Lillicrap et al. 2016), in halves of the range."""

    half_range: Tensor  # along the last dimension
    std: float
    theta: float
    dt: float
    noise: Tensor  # (N, *action)

    def __call__(self, actions: Tensor, step: int, generator: torch.Generator) -> Tensor:
        """Return the actions with the next noise."""
        drift = self.std * math.sqrt(self.dt) * torch.randn(self.noise.shape, generator=generator)
        self.noise = self.noise - self.theta * self.dt * self.noise + drift
        return actions + self.half_range * self.noise

    def begin_episodes(self, copies: Iterable[int]) -> None:
        """Begin again at 0 in some copies."""
        self.noise[list(copies)] = 0.0

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the noise."""
        return {"noise": self.noise}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from stored noise."""
        self.noise = tensors["noise"].clone()


@dataclass(frozen=True)
class EpsilonGreedyExploration(Exploration):
    """Random actions with a probability that falls linearly (Mnih et al. 2015)."""

    space: ActionSpace
    start: float
    end: float
    steps: int

    def __call__(self, actions: Tensor, step: int, generator: torch.Generator) -> Tensor:
        """Return the actions, some of them replaced."""
        epsilon = self.start + (self.end - self.start) * min(1.0, step / self.steps)
        is_random = torch.rand(len(actions), generator=generator) < epsilon
        return torch.where(is_random, self.space.uniform(len(actions), generator), actions)


def build_exploration(data: EnvironmentData, space: ActionSpace) -> Exploration:
    """Return the exploration of a job; `space` is that of its actions."""
    if data.exploration is None:
        return Exploration()
    settings = data.exploration.settings()
    if data.exploration.kind == "epsilon_greedy":
        return EpsilonGreedyExploration(space, **settings)
    half_range = (space.high - space.low) / 2
    if data.exploration.kind == "gaussian":
        return GaussianExploration(settings["std"] * half_range)
    noise = torch.zeros(data.copies, *data.action_space.shape)
    return OrnsteinUhlenbeckExploration(half_range, **settings, noise=noise)
