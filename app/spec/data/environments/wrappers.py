"""Wrappers: what an environment is changed by, from the inside to the outside.

The columns of the experience are those of the wrapped environment. Series of returns are sums of the environment's own
rewards, whatever the wrappers make of them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from app.spec.base import Finite, Positive, Size
from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace
from app.spec.kinds import Kind, KindModel, KindTable, create_kind_models, discriminated_union

MAX_EPISODE_STEPS = 1_000_000  # that a time limit can be
EpisodeSteps = Annotated[Size, Field(le=MAX_EPISODE_STEPS)]
_NUMBERS = Finite | Annotated[tuple[Finite, ...], Field(min_length=1, max_length=10_000)]
_POSITIVE_NUMBERS = Positive | Annotated[tuple[Positive, ...], Field(min_length=1, max_length=10_000)]

WRAPPERS: KindTable = {
    "TimeLimit": Kind(
        "Truncates an episode after this many steps; the environment's own limit holds too.",
        {"steps": EpisodeSteps},
        example={"steps": 200},
    ),
    "FrameStack": Kind(
        "The last observations along a new first dimension, (frames, *observation), the newest last; before there are "
        "as many, the first one stands for those that lack.",
        {"frames": Annotated[Size, Field(ge=2, le=100)]},
        example={"frames": 4},
    ),
    "NormalizeObservation": Kind(
        "(observation - mean) / std with fixed numbers: one for all elements, or one for each along the last "
        "dimension.",
        {"mean": (_NUMBERS, 0.0), "std": (_POSITIVE_NUMBERS, 1.0)},
        example={"mean": 0.0, "std": [1.0, 1.0, 8.0]},
    ),
    "ClipObservation": Kind(
        "Every element of the observation is clamped.",
        {"low": Finite, "high": Finite},
        example={"low": -10.0, "high": 10.0},
    ),
    "ClipReward": Kind("The reward that is learned from is clamped.", {"low": (Finite, -1.0), "high": (Finite, 1.0)}),
    "ScaleReward": Kind(
        "The reward that is learned from is (reward + shift) * factor.",
        {"factor": (Finite, 1.0), "shift": (Finite, 0.0)},
        example={"factor": 0.1},
    ),
}


class BaseWrapper(KindModel):
    """What every wrapper has."""


WRAPPER_CLASSES = create_kind_models(WRAPPERS, BaseWrapper)

if TYPE_CHECKING:
    Wrapper = BaseWrapper
else:
    Wrapper = discriminated_union(WRAPPER_CLASSES)


def wrapped_observation(space: BoxSpace | DiscreteSpace, wrappers: Sequence[BaseWrapper]) -> BoxSpace | DiscreteSpace:
    """Return the space of the observations of an environment with wrappers."""
    for wrapper in wrappers:
        if wrapper.kind == "FrameStack" and isinstance(space, BoxSpace):
            space = space.model_copy(update={"shape": (wrapper.settings()["frames"], *space.shape)})
    return space


def min_time_limit(own: int | None, wrappers: Sequence[BaseWrapper]) -> int | None:
    """Return the number of steps after which an episode is truncated; `None` if there is no limit."""
    limits = [wrapper.settings()["steps"] for wrapper in wrappers if wrapper.kind == "TimeLimit"]
    return min([*limits, *([own] if own is not None else [])], default=None)
