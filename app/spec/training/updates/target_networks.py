"""Target networks: nodes whose weights follow those of other nodes, and that nothing trains."""

from typing import Annotated

from pydantic import Field

from app.spec.base import SpecModel, Steps
from app.spec.training.updates.parameter_groups import ParameterPath


class TargetNetwork(SpecModel):
    """A node whose weights follow those of another one: target = (1 - tau) · target + tau · source.

    Such are the target networks of reinforcement learning (Mnih et al. 2015; Lillicrap et al. 2016) and the momentum
    encoders of self-supervised learning (He et al. 2020). The node begins as a copy; its buffers are copied each time.
    """

    node: ParameterPath = Field(description="The node that follows; no update trains it.")
    source: ParameterPath = Field(description="The node that it follows: one with parameters of the same shapes.")
    tau: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = Field(
        0.005, description="The share of the source that is taken over each time; 1: a copy."
    )
    every: Steps = Field(1, description="It moves after the steps that this divides, counted from 1.")
