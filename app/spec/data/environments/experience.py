"""Experience: what is kept of the steps in an environment, and how batches are drawn from it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from app.spec.base import Count, Name, Probability, Size, SpecModel
from app.spec.data.columns import Column
from app.spec.kinds import Kind, KindTable, discriminated_union

Capacity = Annotated[Size, Field(le=1_000_000_000)]
CopySteps = Annotated[Size, Field(le=1_000_000)]


def number_column(name: str) -> Column:
    """Return a column of one number per example, (1): beside (N, 1) of a network nothing is broadcast."""
    return Column(name=name, shape=(1,), dtype="float32")


class ReplayExperience(SpecModel):
    """The last transitions, of which every step draws a batch, uniformly with replacement (Lin 1992)."""

    example: ClassVar[Mapping[str, object]] = {"capacity": 100_000, "start_steps": 1000}

    kind: Literal["replay"]
    capacity: Capacity = Field(100_000, description="Transitions that are kept; the oldest are overwritten.")
    start_steps: Count = Field(
        1000, description="Transitions of random actions, uniform over the space, before the first step."
    )
    steps: CopySteps = Field(1, description="Steps of every copy in each step of the loop.")

    def columns(self, observation: Column) -> tuple[Column, ...]:
        """Return the columns beside observation and action."""
        following = observation.model_copy(update={"name": "next_observation"})
        return number_column("reward"), following, number_column("terminated")


class RolloutExperience(SpecModel):
    """Steps of every copy with the weights of one moment, and several passes over them (Schulman et al. 2017).

    A rollout serves epochs * ceil(steps * copies / batch_size) steps of the loop. Advantages are by generalised
    advantage estimation (Schulman et al. 2016).
    """

    example: ClassVar[Mapping[str, object]] = {"steps": 128, "epochs": 10, "log_prob": "log_prob", "value": "value"}

    kind: Literal["rollout"]
    steps: CopySteps = Field(128, description="Steps of every copy in a rollout.")
    epochs: Annotated[Size, Field(le=10_000)] = Field(10, description="Passes over a rollout.")
    gamma: Probability = Field(0.99, description="The discount of a reward that is one step later.")
    lambda_: Probability = Field(0.95, alias="lambda", description="Of generalised advantage estimation.")
    log_prob: Name = Field("log_prob", description="The output with the logarithm of the probability of `behaviour`.")
    value: Name = Field("value", description="The output with the value of the observation.")
    normalize_advantage: bool = Field(
        True, description="Whether the advantages of a batch have zero mean and unit variance."
    )

    def columns(self, observation: Column) -> tuple[Column, ...]:
        """Return the columns beside observation and action."""
        return tuple(number_column(name) for name in ("log_prob", "value", "advantage", "returns"))


class EpisodesExperience(SpecModel):
    """Whole episodes with the weights of one moment, all of whose steps are one batch (Williams 1992)."""

    example: ClassVar[Mapping[str, object]] = {"episodes": 8, "gamma": 0.99}

    kind: Literal["episodes"]
    episodes: Annotated[Size, Field(le=100_000)] = Field(8, description="Episodes in each step of the loop.")
    gamma: Probability = Field(0.99, description="The discount of a reward that is one step later.")
    normalize: bool = Field(True, description="Whether the returns of a batch have zero mean and unit variance.")

    def columns(self, observation: Column) -> tuple[Column, ...]:
        """Return the columns beside observation and action."""
        return (number_column("returns"),)


EXPERIENCE_CLASSES: Mapping[str, type[SpecModel]] = {
    "replay": ReplayExperience,
    "rollout": RolloutExperience,
    "episodes": EpisodesExperience,
}
EXPERIENCES: KindTable = {
    "replay": Kind(
        "The last transitions, of which every step draws a batch, uniformly with replacement (Lin 1992).",
        example=ReplayExperience.example,
    ),
    "rollout": Kind(
        "Steps of every copy with the weights of one moment, and several passes over them (Schulman et al. 2017). "
        "Advantages are by generalised advantage estimation (Schulman et al. 2016).",
        example=RolloutExperience.example,
    ),
    "episodes": Kind(
        "Whole episodes with the weights of one moment, all of whose steps are one batch (Williams 1992).",
        example=EpisodesExperience.example,
    ),
}

if TYPE_CHECKING:
    Experience = ReplayExperience | RolloutExperience | EpisodesExperience
else:
    Experience = discriminated_union(EXPERIENCE_CLASSES)
