"""Copies of one environment that a policy acts in, with their wrappers, time limit and episodes.

The seed of an episode is a function of (seed, stream, number of the episode): which copy plays it makes no difference.
Copy c of n plays the episodes c, c + n, c + 2n and so on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace
from app.spec.data.environments.wrappers import BaseWrapper
from workers.environments.actions import ActionSpace
from workers.environments.simulation import Simulation, episode_seed
from workers.environments.transition import Episode, JsonState, Outcome, Transition
from workers.environments.wrappers import observation_wrappers, reward_wrappers


class Environments:
    """Copies of one environment, with a state. Nothing is differentiable.

    `observe` and `step` go on and on, one episode after the other. `begin` and `advance` are for whole episodes that
    the caller chooses, in copies that he chooses; an object serves one of the two uses.
    """

    def __init__(
        self,
        simulation: Simulation,
        space: BoxSpace | DiscreteSpace,
        copies: int,
        seed: int,
        stream: int = 0,
        time_limit: int | None = None,
        wrappers: Sequence[BaseWrapper] = (),
    ) -> None:
        self.copies, self.action_space, self.actions = copies, space, ActionSpace(space)
        self._simulation, self._seed, self._stream, self._limit = simulation, seed, stream, time_limit
        self._wrappers, self._reward_wrappers = observation_wrappers(wrappers, copies), reward_wrappers(wrappers)
        self._numbers, self._lengths = list(range(copies)), [0] * copies
        self._totals = [0.0] * copies  # own rewards of the episodes so far
        self._all, self._all_false = range(copies), torch.zeros(copies, 1, dtype=torch.bool)
        self._observation: Tensor | None = None  # until the first episodes begin

    def observe(self) -> Tensor:
        """Return what the next action answers to: (copies, *observation)."""
        if self._observation is None:
            self._observation = self.begin(self._all, self._numbers)
        return self._observation

    def step(self, actions: Tensor) -> Transition:
        """Make one step of every copy. A copy whose episode ended begins its next one, which `observe` shows.

        Raises `NumericError` if an action is not finite, and `DataError` if a state, an observation or a reward is not,
        for actions of another shape, and for class numbers that the space has not.
        """
        before, actions = self.observe(), self.actions.fit(actions)
        outcome = self.advance(self._all, actions)
        after = self._observation = outcome.observation
        reward = torch.from_numpy(np.array(self.learned(outcome.reward), np.float32)[:, None])
        if not any(outcome.terminated) and not any(outcome.truncated):
            return Transition(before, actions, reward, after, self._all_false, self._all_false)
        terminated, truncated = (torch.tensor(each)[:, None] for each in (outcome.terminated, outcome.truncated))
        return Transition(before, actions, reward, after, terminated, truncated, self._next_episodes(outcome))

    def _next_episodes(self, outcome: Outcome) -> tuple[Episode, ...]:
        """Begin the next episode of every copy whose episode has ended; return those that have."""
        places = [copy for copy in self._all if outcome.terminated[copy] or outcome.truncated[copy]]
        ended = tuple(self.episode(copy, outcome.terminated[copy]) for copy in places)
        self._observation = outcome.observation.clone()
        self._observation[places] = self.begin(places, [self._numbers[copy] + self.copies for copy in places])
        return ended

    def begin(self, copies: Sequence[int], numbers: Sequence[int]) -> Tensor:
        """Begin episodes by number in some copies; return their first observations (N, *observation)."""
        for copy, number in zip(copies, numbers, strict=True):
            self._numbers[copy], self._lengths[copy], self._totals[copy] = number, 0, 0.0
        observation = self._simulation.begin(copies, self._seeds(numbers))
        for wrapper in self._wrappers:
            observation = wrapper.begin(copies, observation)
        return observation

    def advance(self, copies: Sequence[int], actions: Tensor) -> Outcome:
        """Make one step of some copies, with actions (N, *action) of the space. Rewards are the environment's own.

        Raises `DataError` if a state, an observation or a reward is not finite.
        """
        outcome = self._simulation.advance(copies, actions)
        truncated = outcome.truncated
        for place, copy in enumerate(copies):
            self._lengths[copy] += 1
            self._totals[copy] += outcome.reward[place]
            is_cut = truncated[place] or self._lengths[copy] == self._limit
            truncated[place] = is_cut and not outcome.terminated[place]
        if not self._wrappers:
            return outcome
        observation = outcome.observation
        for wrapper in self._wrappers:
            observation = wrapper.follow(copies, observation)
        return replace(outcome, observation=observation)

    def learned(self, rewards: list[float]) -> list[float]:
        """Return what the wrappers make of rewards."""
        for wrapper in self._reward_wrappers:
            rewards = [wrapper(reward) for reward in rewards]
        return rewards

    def episode(self, copy: int, terminated: bool) -> Episode:
        """Return the episode of a copy as it stands."""
        return Episode(copy, self._numbers[copy], self._totals[copy], self._lengths[copy], terminated)

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the tensors that `load` needs to go on in the same episodes."""
        if self._observation is None:
            return {}
        tensors = self._simulation.state_tensors()
        for place, wrapper in enumerate(self._wrappers):
            tensors |= {f"wrapper{place}.{name}": tensor for name, tensor in wrapper.state_tensors().items()}
        return tensors

    def state_json(self) -> JsonState:
        """Return the rest of what `load` needs."""
        if self._observation is None:
            return {"numbers": [], "lengths": [], "totals": []}
        return {"numbers": [*self._numbers], "lengths": [*self._lengths], "totals": [*self._totals]}

    def load(self, tensors: Mapping[str, Tensor], numbers: JsonState) -> None:
        """Go on from the state of equal environments. Raises `ValueError` for the state of others."""
        if not numbers["numbers"]:
            self._numbers, self._observation = list(self._all), None
            return
        if len(numbers["numbers"]) != self.copies:
            raise ValueError(f"a state of {len(numbers['numbers'])} copies, where there are {self.copies}")
        self._numbers, self._lengths = [*numbers["numbers"]], [*numbers["lengths"]]
        self._totals = [*numbers["totals"]]
        observation = self._simulation.load(tensors, self._seeds(self._numbers), self._lengths)
        for place, wrapper in enumerate(self._wrappers):
            prefix = f"wrapper{place}."
            own = {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
            observation = wrapper.load(own, observation)
        self._observation = observation

    def _seeds(self, numbers: Sequence[int]) -> list[int]:
        return [episode_seed(self._seed, self._stream, number) for number in numbers]
