"""The data section of a job whose network acts in an environment, and the columns of its experience."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from app.spec.base import Name, OneOrMany, Size, SpecModel, validation_error
from app.spec.data.columns import DataSchema
from app.spec.data.environments.catalog import ENVIRONMENTS, EnvironmentName
from app.spec.data.environments.dynamics import Dynamics
from app.spec.data.environments.experience import Experience, ReplayExperience, RolloutExperience
from app.spec.data.environments.exploration import Exploration
from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace
from app.spec.data.environments.wrappers import Wrapper, min_time_limit, wrapped_observation

OBSERVATION, ACTION = "observation", "action"  # columns

_NO_ROWS = "an environment has no stored rows"
_EVALUATED = 'remove it: "episodes" of the environment are played, and their mean return is val/return'
_NODES = "remove it: the network reads observations as they are, and can change them by nodes of its own"

# What every other source of data can have, and an environment cannot → why, and what to do instead.
ROW_FIELDS: Mapping[str, tuple[str, str]] = {
    "features": (f"{_NO_ROWS}, whose columns would become tensors", f"{_NODES}, or by wrappers"),
    "inputs": (
        f"{_NO_ROWS}: a network reads the observation unless it names other columns",
        'remove it, and name the columns in the "inputs" of the model',
    ),
    "target": (f"{_NO_ROWS}: nothing is compared with a column", "remove it: losses are nodes of the network"),
    "ignore": (f"{_NO_ROWS}, whose columns would be read by default", "remove it"),
    "validation": (f"{_NO_ROWS} that could be held out", _EVALUATED),
    "test": (f"{_NO_ROWS} that could be held out", _EVALUATED),
    "windows": (f"{_NO_ROWS} to cut windows from", 'use the wrapper {"kind": "FrameStack", "frames": 4}'),
    "scale": (
        f"{_NO_ROWS} whose scale could be fitted",
        'use the wrapper {"kind": "NormalizeObservation", "mean": …, "std": …}, or nodes of the network',
    ),
    "sampler": (f"{_NO_ROWS} with weights", "remove it: `experience` says how batches are drawn"),
    "bucket": (f"{_NO_ROWS} of unlike lengths", "remove it"),
    "transforms": (f"{_NO_ROWS} of images", _NODES),
    "evaluation_transforms": (f"{_NO_ROWS} of images", _NODES),
    "loading": (f"{_NO_ROWS} of images", "remove it"),
}


class EnvironmentData(SpecModel):
    """An environment that the job's own network acts in: by name, or as data."""

    refused_fields: ClassVar[Mapping[str, tuple[str, str]]] = ROW_FIELDS

    # What every other source of data can have.
    features: ClassVar[None] = None
    inputs: ClassVar[None] = None
    target: ClassVar[None] = None
    ignore: ClassVar[tuple[str, ...]] = ()
    validation: ClassVar[None] = None
    test: ClassVar[None] = None
    windows: ClassVar[None] = None
    scale: ClassVar[None] = None
    sampler: ClassVar[None] = None
    bucket: ClassVar[None] = None
    transforms: ClassVar[None] = None
    evaluation_transforms: ClassVar[None] = None
    loading: ClassVar[Literal["auto"]] = "auto"

    kind: Literal["environment"]
    name: EnvironmentName | None = Field(None, description="One of Gymnasium's.", examples=[*ENVIRONMENTS])
    dynamics: Dynamics | None = Field(None, description="An environment of nodes, in place of a name.")
    copies: Annotated[Size, Field(le=4096)] = Field(1, description="Copies that are stepped together.")
    wrappers: Annotated[tuple[Wrapper, ...], Field(max_length=16), OneOrMany(kinds=True)] = Field(
        (), description="What the environment is changed by, from the inside to the outside."
    )
    experience: Experience = Field(examples=[{"kind": "replay", "capacity": 100_000, "start_steps": 1000}])
    action: Name = Field("action", description="The output that is done in evaluations and predictions.")
    behaviour: Name | None = Field(
        None, description="The output that is done when experience is collected. Default: that of `action`."
    )
    exploration: Exploration | None = Field(None, description="What is added to the behaviour.")
    episodes: Annotated[Size, Field(le=100_000)] = Field(100, description="Episodes of an evaluation.")
    report: Annotated[tuple[Name, ...], Field(max_length=32), OneOrMany()] = Field(
        (), description="Further outputs that read observations alone: their means over the steps of an evaluation."
    )

    @model_validator(mode="after")
    def _one_environment(self) -> Self:
        if (self.name is None) == (self.dynamics is None):
            detail = "name and dynamics are two environments" if self.name else "it names no environment"
            hint = "remove name or dynamics" if self.name else 'add "name": "Pendulum-v1", or dynamics of your own'
            raise validation_error("contradiction" if self.name else "missing", detail, hint)
        return self

    @property
    def behaviour_output(self) -> str:
        """The output that is done when experience is collected."""
        return self.behaviour or self.action

    @property
    def action_space(self) -> BoxSpace | DiscreteSpace:
        """The space of actions."""
        return self.dynamics.action if self.dynamics is not None else ENVIRONMENTS[self.name or ""].action

    @property
    def observation_space(self) -> BoxSpace | DiscreteSpace:
        """The space of observations, after the wrappers."""
        return wrapped_observation(self.own_observation_space, self.wrappers)

    @property
    def own_observation_space(self) -> BoxSpace | DiscreteSpace:
        """The space of observations, before the wrappers."""
        if self.dynamics is not None:
            return self.dynamics.observation_space
        return ENVIRONMENTS[self.name or ""].observation

    @property
    def time_limit(self) -> int | None:
        """The steps after which an episode is truncated; `None` without a limit."""
        own = self.dynamics.time_limit if self.dynamics is not None else ENVIRONMENTS[self.name or ""].time_limit
        return min_time_limit(own, self.wrappers)

    @property
    def kept_transitions(self) -> int:
        """The number of transitions that are kept at once, at most."""
        experience = self.experience
        if isinstance(experience, ReplayExperience):
            return experience.capacity
        if isinstance(experience, RolloutExperience):
            return experience.steps * self.copies
        return experience.episodes * (self.time_limit or 1)


def environment_schema(data: EnvironmentData) -> DataSchema:
    """Return the columns that a network can read; of the rows, which come while it trains, the schema has none."""
    observation, action = data.observation_space.column(OBSERVATION), data.action_space.column(ACTION)
    columns = (observation, action, *data.experience.columns(observation))
    return DataSchema(columns=columns, rows={}, inputs=(OBSERVATION,))
