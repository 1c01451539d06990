"""Wrappers: what observations and rewards of an environment become, from the inside to the outside."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from app.spec.data.environments.wrappers import BaseWrapper

REWARD_KINDS = frozenset({"ClipReward", "ScaleReward"})


class ObservationWrapper(Protocol):
    """Changes observations. Tensors are on the CPU, N is the number of the copies that are named."""

    def begin(self, copies: Sequence[int], observation: Tensor) -> Tensor:
        """Return what the first observations (N, *) of episodes become."""
        ...

    def follow(self, copies: Sequence[int], observation: Tensor) -> Tensor:
        """Return what the observations (N, *) after a step become."""
        ...

    def state_tensors(self) -> dict[str, Tensor]:
        """Return what `load` needs."""
        ...

    def load(self, tensors: Mapping[str, Tensor], observation: Tensor) -> Tensor:
        """Go on from the state of an equal wrapper; return what the present observations (copies, *) have become."""
        ...


class _Stateless(ABC):
    """An observation wrapper that keeps nothing."""

    def begin(self, copies: Sequence[int], observation: Tensor) -> Tensor:
        return self.follow(copies, observation)

    @abstractmethod
    def follow(self, copies: Sequence[int], observation: Tensor) -> Tensor: ...

    def state_tensors(self) -> dict[str, Tensor]:
        return {}

    def load(self, tensors: Mapping[str, Tensor], observation: Tensor) -> Tensor:
        return self.follow(range(len(observation)), observation)


class Normalization(_Stateless):
    """(observation - mean) / std with fixed numbers, of all elements or along the last dimension."""

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        self._mean, self._std = torch.tensor(mean), torch.tensor(std)

    def follow(self, copies: Sequence[int], observation: Tensor) -> Tensor:
        """Return the normalised observations (N, *)."""
        return (observation - self._mean) / self._std


class ObservationClamp(_Stateless):
    """Every element of an observation is clamped."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def follow(self, copies: Sequence[int], observation: Tensor) -> Tensor:
        """Return the clamped observations (N, *)."""
        return observation.clamp(self._low, self._high)


class FrameStack:
    """The last observations along a new first dimension, (N, frames, *observation), the newest last.

    At the beginning of an episode all of them are its first observation.
    """

    def __init__(self, frames: int, copies: int) -> None:
        self._frames = frames
        self._stacks: list[Tensor | None] = [None] * copies

    def begin(self, copies: Sequence[int], observation: Tensor) -> Tensor:
        """Return stacks of the first observation."""
        stacks = observation.unsqueeze(1).repeat_interleave(self._frames, 1)
        return self._keep(copies, stacks)

    def follow(self, copies: Sequence[int], observation: Tensor) -> Tensor:
        """Return the stacks with their oldest observation replaced by a new one."""
        before = torch.stack([stack for copy in copies if (stack := self._stacks[copy]) is not None])
        return self._keep(copies, torch.cat([before[:, 1:], observation.unsqueeze(1)], 1))

    def _keep(self, copies: Sequence[int], stacks: Tensor) -> Tensor:
        for copy, stack in zip(copies, stacks, strict=True):
            self._stacks[copy] = stack
        return stacks

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the stacks of all copies: (copies, frames, *observation)."""
        return {"frames": torch.stack([stack for stack in self._stacks if stack is not None])}

    def load(self, tensors: Mapping[str, Tensor], observation: Tensor) -> Tensor:
        """Go on from the stacks of all copies, which hold the present observations; return them."""
        return self._keep(range(len(self._stacks)), tensors["frames"].clone())


class RewardWrapper:
    """The reward that is learned from: clamped, or (reward + shift) * factor."""

    def __init__(self, wrapper: BaseWrapper) -> None:
        self._settings = wrapper.settings()
        self._is_clamp = wrapper.kind == "ClipReward"

    def __call__(self, reward: float) -> float:
        """Return what a reward becomes."""
        settings = self._settings
        if self._is_clamp:
            return float(min(max(reward, settings["low"]), settings["high"]))
        return float((reward + settings["shift"]) * settings["factor"])


def observation_wrappers(wrappers: Sequence[BaseWrapper], copies: int) -> list[ObservationWrapper]:
    """Return those of the wrappers that change observations."""
    built: list[ObservationWrapper] = []
    for wrapper in wrappers:
        settings = wrapper.settings()
        if wrapper.kind == "FrameStack":
            built.append(FrameStack(settings["frames"], copies))
        elif wrapper.kind == "NormalizeObservation":
            built.append(Normalization(settings["mean"], settings["std"]))
        elif wrapper.kind == "ClipObservation":
            built.append(ObservationClamp(settings["low"], settings["high"]))
    return built


def reward_wrappers(wrappers: Sequence[BaseWrapper]) -> list[RewardWrapper]:
    """Return those of the wrappers that change rewards."""
    return [RewardWrapper(wrapper) for wrapper in wrappers if wrapper.kind in REWARD_KINDS]
