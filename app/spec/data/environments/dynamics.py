"""Environments as data: their dynamics in the language of networks."""

from pydantic import Field

from app.spec.base import SpecModel
from app.spec.data.environments.spaces import BoxSpace, Space
from app.spec.data.environments.wrappers import EpisodeSteps
from app.spec.network.fields import TensorShape
from app.spec.network.network import Network


class State(SpecModel):
    """The state of one copy: float32 of a shape."""

    shape: TensorShape


class Dynamics(SpecModel):
    """An environment of nodes, which is run on all copies at once, without gradients.

    N is the number of copies. The networks have no parameters.
    """

    state: State = Field(examples=[{"shape": [2]}])
    action: Space = Field(examples=[{"kind": "box", "shape": [1], "low": -2.0, "high": 2.0}])
    observation: Space | None = Field(None, description="What `observe` gives. Default: the state.")
    time_limit: EpisodeSteps = Field(
        description="Steps after which an episode is truncated, so that every policy can be evaluated.", examples=[200]
    )
    reset: Network = Field(
        description="The first states of episodes: input state (N, …), zeros, for the number of copies; output state "
        "(N, …). Random nodes draw anew for every episode.",
        examples=[{"layers": ["rand_like"]}],
    )
    observe: Network | None = Field(
        None, description="Input state (N, …); output observation (N, …). Default: the state is observed."
    )
    step: Network = Field(
        description="Inputs state (N, …) and action (N, …), or int64 (N) of a discrete one; outputs state (N, …), "
        "reward (N, 1) or (N), and, if an episode can end by itself, terminated (N, 1) or (N)."
    )

    @property
    def observation_space(self) -> Space:
        """The space of observations: declared, or that of the state."""
        return self.observation or BoxSpace(kind="box", shape=self.state.shape)
