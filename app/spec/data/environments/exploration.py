"""Exploration: what the collector adds to the behaviour, so that other actions are tried too."""

from typing import TYPE_CHECKING

from app.spec.base import Positive, Probability, Steps
from app.spec.kinds import Kind, KindModel, KindTable, create_kind_models, discriminated_union

EXPLORATIONS: KindTable = {
    "gaussian": Kind(
        "Normal noise is added to the action, independent at every step and clamped to the space (Fujimoto et al. "
        "2018); std is in halves of the range of each element: 0.1 is a tenth of the largest action of a symmetric "
        "range.",
        {"std": (Positive, 0.1)},
    ),
    "ornstein_uhlenbeck": Kind(
        "Noise that drifts from step to step is added to the action (Lillicrap et al. 2016): x becomes "
        "x - theta * x * dt + std * sqrt(dt) * normal, from 0 at the beginning of each episode; in halves of the range "
        "of each element.",
        {"std": (Positive, 0.5), "theta": (Positive, 0.15), "dt": (Positive, 0.01)},
    ),
    "epsilon_greedy": Kind(
        "A random action in place of the behaviour's, with a probability that falls linearly from start to end over "
        "the first steps of the loop (Mnih et al. 2015).",
        {"start": (Probability, 1.0), "end": (Probability, 0.05), "steps": (Steps, 10_000)},
    ),
}


class BaseExploration(KindModel):
    """What every exploration has."""

    @property
    def is_discrete(self) -> bool:
        """Whether it is for class numbers; the others are for numbers in a box."""
        return self.kind == "epsilon_greedy"


EXPLORATION_CLASSES = create_kind_models(EXPLORATIONS, BaseExploration)

if TYPE_CHECKING:
    Exploration = BaseExploration
else:
    Exploration = discriminated_union(EXPLORATION_CLASSES)
