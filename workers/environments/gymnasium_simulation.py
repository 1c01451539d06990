"""Copies of an environment of Gymnasium.

Its state is the seed of an episode and the actions since it began: to restore it, they are played again. That is exact
for every deterministic environment, whatever it holds in libraries of its own.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.environments.catalog import ENVIRONMENTS
from workers.environments.gymnasium_package import make_environment
from workers.environments.simulation import is_finite
from workers.environments.transition import Outcome

# Environments whose episodes depend on earlier ones of the same object: their world keeps what no reset clears.
SINGLE_EPISODE = frozenset({"BipedalWalker-v3", "BipedalWalkerHardcore-v3"})
DIVERGED_HINT = "the simulation has become unstable: smaller actions, or an environment of another version"


class GymnasiumSimulation:
    """Copies of one environment by Gymnasium's id."""

    def __init__(self, name: str, copies: int) -> None:
        """Make the copies. Raises `DataError` if a package is missing."""
        self.name = name
        observation = ENVIRONMENTS[name].observation
        self._action_space = ENVIRONMENTS[name].action
        self._shape, self._is_discrete = observation.shape, observation.classes is not None
        self._dtype: Any = np.int64 if self._is_discrete else np.float32
        self._environments = [make_environment(name) for _ in range(copies)]
        self._actions: list[list[Any]] = [[] for _ in range(copies)]  # of the episodes that the copies are in

    def begin(self, copies: Sequence[int], seeds: Sequence[int]) -> Tensor:
        """Begin an episode in some copies; return their first observations (N, *observation)."""
        observations = np.empty((len(copies), *self._shape), self._dtype)
        for place, (copy, seed) in enumerate(zip(copies, seeds, strict=True)):
            if self.name in SINGLE_EPISODE:
                self._environments[copy] = make_environment(self.name)
            observations[place], _ = self._environments[copy].reset(seed=seed)
            self._actions[copy] = []
        return torch.from_numpy(observations)

    def advance(self, copies: Sequence[int], actions: Tensor) -> Outcome:
        """Make one step of some copies. Raises `DataError` if an observation or a reward is not finite."""
        observations = np.empty((len(copies), *self._shape), self._dtype)
        rewards, terminated, truncated = [], [], []
        for place, (copy, action) in enumerate(zip(copies, self._own_actions(actions), strict=True)):
            observations[place], reward, ended, cut, _ = self._environments[copy].step(action)
            self._actions[copy].append(action)
            rewards.append(float(reward))
            terminated.append(bool(ended))
            truncated.append(bool(cut))
        if not all(map(math.isfinite, rewards)) or not (self._is_discrete or is_finite(observations)):
            self._raise_not_finite(copies, observations, rewards)
        return Outcome(torch.from_numpy(observations), rewards, terminated, truncated)

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the actions of all copies since their episodes began, one copy after the other."""
        flat = [action for actions in self._actions for action in actions]
        if self._action_space.classes is not None:
            return {"actions": torch.tensor(flat, dtype=torch.int64)}
        stacked = np.array(flat, np.float32).reshape(len(flat), *self._action_space.shape)
        return {"actions": torch.from_numpy(stacked)}

    def load(self, tensors: Mapping[str, Tensor], seeds: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """Play the episodes of all copies again, up to their steps so far; return the observations (copies, …)."""
        copies = range(len(self._environments))
        if len(lengths) != len(copies) or sum(lengths) != len(tensors["actions"]):
            raise ValueError("the state of other copies of an environment")
        observations = self.begin(copies, seeds)
        for copy, actions in zip(copies, tensors["actions"].split(list(lengths)), strict=True):
            for action in self._own_actions(actions):
                own, *_ = self._environments[copy].step(action)
                observations[copy] = torch.as_tensor(own)
                self._actions[copy].append(action)
        return observations

    def _own_actions(self, actions: Tensor) -> Sequence[Any]:
        """Return actions as the environment takes them; arrays are views, which are kept."""
        if self._action_space.classes is not None:
            numbers: list[int] = actions.tolist()
            return numbers
        return list(actions.numpy())

    def _raise_not_finite(self, copies: Sequence[int], observations: np.ndarray, rewards: list[float]) -> None:
        for copy, observation, reward in zip(copies, observations, rewards, strict=True):
            if not (np.isfinite(observation).all() and np.isfinite(reward)):
                what = "the observation" if np.isfinite(reward) else "the reward"
                step = len(self._actions[copy])
                detail = f"{what} of {self.name} is not finite at step {step} of an episode of copy {copy}"
                raise DataError(detail, pointer="/data/name", hint=DIVERGED_HINT)
