"""What a step in environments gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

JsonState = Mapping[str, Any]  # what JSON can hold


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode that has ended. The return is the sum of the environment's own rewards, not discounted."""

    copy: int
    number: int  # unique over all copies
    total_reward: float
    length: int  # steps
    terminated: bool  # it ended by itself; else it was truncated


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of every copy, on the CPU. N is the number of copies."""

    observation: Tensor  # (N, *observation): what the action answers to
    action: Tensor  # (N, *action), clamped to the space; int64 (N) of a discrete space
    reward: Tensor  # (N, 1), float32, as the wrappers make it
    next_observation: Tensor  # (N, *observation), of the same episode even where it ended
    terminated: Tensor  # (N, 1), bool: the episode ended by itself, so that nothing follows
    truncated: Tensor  # (N, 1), bool: it was cut off by a time limit, but could go on
    ended: tuple[Episode, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What some copies of an environment answer to their actions. N is the number of these copies."""

    observation: Tensor  # (N, *observation), after the step
    reward: list[float]  # N
    terminated: list[bool]  # N
    truncated: list[bool]  # N
