"""Copies of an environment of nodes, all of which are stepped at once.

The first state of an episode, and what random nodes draw in its steps, are functions of the seed of the episode and of
the number of the step: neither of the copy nor of how many there are. (Sums of torch may round otherwise in a batch of
another size.)
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from app.errors import DataError, InvalidInput
from app.spec.data.environments.dynamics import Dynamics
from app.spec.data.environments.spaces import DiscreteSpace
from workers.data.rng import step_seed
from workers.environments.dynamics_networks import ACTION, REWARD, STATE, TERMINATED, build_dynamics
from workers.environments.simulation import is_finite
from workers.environments.transition import Outcome
from workers.network.runtime.build import BuiltNetwork

POINTER = "/data/dynamics"
FINITE_HINT = "look for a division by zero, a root or logarithm of a negative number, or a state that grows; clamp it"


class DynamicsSimulation:
    """Copies of one environment of nodes, on the CPU."""

    def __init__(self, dynamics: Dynamics, copies: int) -> None:
        """Build the networks. Raises `InvalidInput` with every problem, whose pointers lead into the job."""
        try:
            self._networks = build_dynamics(dynamics)
        except InvalidInput as error:
            raise InvalidInput([problem.with_prefix(POINTER) for problem in error.problems]) from None
        self._observation_space = dynamics.observation_space
        self._state = torch.zeros(copies, *dynamics.state.shape)
        self._observation: Tensor | None = None  # of all copies, once each of them has begun
        self._seeds, self._steps = [0] * copies, [0] * copies  # of the episodes that the copies are in
        self._count = copies

    def begin(self, copies: Sequence[int], seeds: Sequence[int]) -> Tensor:
        """Begin an episode in some copies; return their first observations (N, *observation)."""
        for copy, seed in zip(copies, seeds, strict=True):
            self._seeds[copy], self._steps[copy] = seed, 0
        zeros = torch.zeros(len(copies), *self._state.shape[1:])
        with torch.no_grad(), self._random_numbers(self._networks.reset, copies):
            (state,) = self._networks.reset({STATE: zeros}).values()
            self._check(copies, state.numpy(), "state", "reset")
            return self._arrive(copies, state)

    def advance(self, copies: Sequence[int], actions: Tensor) -> Outcome:
        """Make one step of some copies. Raises `DataError` if a state, an observation or a reward is not finite."""
        for copy in copies:
            self._steps[copy] += 1
        with torch.no_grad(), self._random_numbers(self._networks.step, copies):
            outputs = self._networks.step({STATE: self._rows(copies), ACTION: actions})
            self._check(copies, outputs[STATE].numpy(), "state", "step")
            reward = outputs[REWARD].reshape(-1).double().numpy()
            self._check(copies, reward, "reward", "step")
            terminated = np.zeros(len(copies))
            if TERMINATED in outputs:
                terminated = outputs[TERMINATED].reshape(-1).double().numpy()
                self._check(copies, terminated, "value of terminated", "step")
            observation = self._arrive(copies, outputs[STATE])
        return Outcome(observation, reward.tolist(), (terminated != 0).tolist(), [False] * len(copies))

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the states and observations of all copies."""
        return {"state": self._state} | ({} if self._observation is None else {"observation": self._observation})

    def load(self, tensors: Mapping[str, Tensor], seeds: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """Go on from the states of all copies; return their observations."""
        if tensors["state"].shape != self._state.shape or len(seeds) != self._count or len(lengths) != self._count:
            raise ValueError("the state of other copies of an environment")
        self._state, self._observation = tensors["state"].clone(), tensors["observation"].clone()
        self._seeds, self._steps = [*seeds], [*lengths]
        return self._observation

    def _rows(self, copies: Sequence[int]) -> Tensor:
        return self._state if len(copies) == self._count else self._state.index_select(0, torch.tensor([*copies]))

    @contextmanager
    def _random_numbers(self, network: BuiltNetwork, copies: Sequence[int]) -> Iterator[None]:
        """Give a network, and what observes afterwards, the seeds of their rows, if one of them draws."""
        observe = self._networks.observe
        if not network.is_random and (observe is None or not observe.is_random):
            yield
            return
        self._networks.seeds.values = [step_seed(self._seeds[copy], self._steps[copy]) for copy in copies]
        with torch.random.fork_rng(devices=[]):  # torch's global generator is seeded for each row
            yield

    def _arrive(self, copies: Sequence[int], state: Tensor) -> Tensor:
        """Keep the states of some copies; return what is observed."""
        observation = state if self._networks.observe is None else self._observed(self._networks.observe, copies, state)
        is_whole = len(copies) == self._count
        rows = torch.tensor(list(copies))
        # Neither is written in place: what was returned before may be a view.
        self._state = state if is_whole else self._state.index_copy(0, rows, state)
        if is_whole:
            self._observation = observation
        elif self._observation is not None:
            self._observation = self._observation.index_copy(0, rows, observation)
        return observation

    def _observed(self, observe: BuiltNetwork, copies: Sequence[int], state: Tensor) -> Tensor:
        observation: Tensor = next(iter(observe({STATE: state}).values()))
        space = self._observation_space
        if not isinstance(space, DiscreteSpace):
            self._check(copies, observation.numpy(), "observation", "observe")
        elif (wrong := next((each for each in observation.tolist() if not 0 <= each < space.n), None)) is not None:
            detail = f"the observation {wrong} is not one of 0 to {space.n - 1}"
            raise DataError(detail, pointer=f"{POINTER}/observe", hint="clamp it, or make the observation larger")
        return observation

    def _check(self, copies: Sequence[int], values: np.ndarray, what: str, network: str) -> None:
        """Raise `DataError` if a value is not finite."""
        if is_finite(values):
            return
        place = int(np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))[0])
        copy = copies[place]
        where = f"at step {self._steps[copy]} of an episode" if self._steps[copy] else "at the beginning of an episode"
        detail = f"the {what} of copy {copy} is not finite {where}"
        raise DataError(detail, pointer=f"{POINTER}/{network}", hint=FINITE_HINT)
