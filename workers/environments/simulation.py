"""What every kind of environment can do: begin episodes, and make steps in them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from torch import Tensor

from workers.data.rng import stream_seed
from workers.environments.transition import Outcome

EPISODE_STREAM = 0xE915  # keeps the seeds of episodes apart from those of orders and images


class Simulation(Protocol):
    """Copies of one environment, without time limit and wrappers.

    An episode is a function of its seed and its actions, whichever copy plays it and whatever was played before.
    Copies are named in ascending order.
    """

    def begin(self, copies: Sequence[int], seeds: Sequence[int]) -> Tensor:
        """Begin an episode in some copies; return their first observations (N, *observation)."""
        ...

    def advance(self, copies: Sequence[int], actions: Tensor) -> Outcome:
        """Make one step of some copies, with actions (N, *action) that lie in the space.

        Raises `DataError` if a state, an observation or a reward is not finite.
        """
        ...

    def state_tensors(self) -> dict[str, Tensor]:
        """Return what `load` needs to go on in the same episodes."""
        ...

    def load(self, tensors: Mapping[str, Tensor], seeds: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """Go on from the state of an equal simulation; return the observations of all copies.

        `seeds` and `lengths` are those of the episodes that the copies are in, and their steps so far.
        """
        ...


def episode_seed(seed: int, stream: int, number: int) -> int:
    """Return the 63-bit seed of an episode."""
    return stream_seed(seed, EPISODE_STREAM, stream, number)


def is_finite(values: np.ndarray) -> bool:
    """Say whether all numbers of an array are finite."""
    return bool(np.logical_and.reduce(np.isfinite(values), axis=None))
