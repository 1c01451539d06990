"""Collectors: environments that the job's own network acts in, and the batches of what they experience."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from app.spec.data.environments.environment import EnvironmentData
from app.spec.training.plan import Training
from workers.data.columns import PreparedColumn
from workers.data.loading.batch_source import NO_STATE, NO_VALUES, BatchSource, WeightedBatch
from workers.data.rng import update_seed
from workers.environments.build import build_environments
from workers.environments.transition import Episode, Transition
from workers.network.runtime.build import BuiltNetwork
from workers.training.devices import Precision, seed_step
from workers.training.sources.exploration import build_exploration
from workers.training.sources.policy import Policy

# Places of random streams of a step beside those of its updates, see `update_seed`.
EXPLORATION_STREAM, BEHAVIOUR_STREAM, BATCH_STREAM = 1 << 16, 2 << 16, 3 << 16
ENVIRONMENT_PREFIX, EXPLORATION_PREFIX, BUFFER_PREFIX = "environment/", "exploration/", "buffer/"  # of its tensors
RETURN_SERIES, LENGTH_SERIES = "episode/return", "episode/length"


@dataclass(frozen=True)
class CollectorParts:
    """What a collector is built of."""

    data: EnvironmentData
    plan: Training
    network: BuiltNetwork  # whose weights it acts with, as they are at each step
    precision: Precision


ExperienceKind = TypeVar("ExperienceKind")


class Collector(BatchSource, Generic[ExperienceKind]):
    """Collects experience with the behaviour of a network, and returns batches of it, on the training's device.

    Its state is that of the environments, of the exploration and of what is kept. All random numbers are functions of
    (seed, step).
    """

    def __init__(self, parts: CollectorParts, experience: ExperienceKind) -> None:
        data, plan = parts.data, parts.plan
        self.experience = experience
        self.parts, self.data, self.plan, self.device = parts, data, plan, parts.precision.device
        self.environments = build_environments(data, data.copies, plan.seed)
        self.policy = Policy(parts.network, self.policy_outputs(), parts.precision)
        self.exploration = build_exploration(data, self.environments.actions)
        self.generator = torch.Generator()
        self.ended: list[Episode] = []  # since the last call of `pop_values`

    @property
    def targets(self) -> Mapping[str, PreparedColumn]:
        """Nothing: losses are outputs of the network."""
        return {}

    def policy_outputs(self) -> Sequence[str]:
        """Return the outputs of the network that are computed of each observation."""
        return (self.data.behaviour_output,)

    @abstractmethod
    def batches(self, step: int) -> list[WeightedBatch]:
        """Collect what step `step` needs, and return its batches."""

    def preview(self, step: int) -> list[WeightedBatch]:
        """Return the batches that step `step` will have, from a copy of the environments and of what is kept."""
        return self._copy().batches(step)

    def may_change(self, step: int) -> bool:
        """Say whether the batches may have another size from step `step` on."""
        return True

    def pop_values(self) -> Mapping[str, float]:
        """Return the means of returns and lengths of the episodes that have ended since the last call."""
        if not self.ended:
            return NO_VALUES
        ended, self.ended = self.ended, []
        rewards, lengths = sum(each.total_reward for each in ended), sum(each.length for each in ended)
        return {RETURN_SERIES: rewards / len(ended), LENGTH_SERIES: lengths / len(ended)}

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return the tensors of environments, exploration and of what is kept, without copying."""
        return {
            **{f"{ENVIRONMENT_PREFIX}{name}": each for name, each in self.environments.state_tensors().items()},
            **{f"{EXPLORATION_PREFIX}{name}": each for name, each in self.exploration.state_tensors().items()},
            **{f"{BUFFER_PREFIX}{name}": each for name, each in self.kept_tensors().items()},
        }

    def state_json(self) -> Mapping[str, Any]:
        """Return the rest of the state."""
        kind, environments = self.data.experience.kind, self.environments.state_json()
        return {"kind": kind, "environments": environments, "buffer": self.kept_json()}

    def load_state_dict(self, state: Mapping[str, Tensor], numbers: Mapping[str, Any] = NO_STATE) -> None:
        """Go on from a state. Raises `ValueError` for that of another source."""
        if numbers.get("kind") != self.data.experience.kind:
            raise ValueError(f"{self.data.experience.kind} cannot go on from {numbers.get('kind', 'rows')}")
        environment, exploration, kept = (
            {name.removeprefix(prefix): each for name, each in state.items() if name.startswith(prefix)}
            for prefix in (ENVIRONMENT_PREFIX, EXPLORATION_PREFIX, BUFFER_PREFIX)
        )
        self.environments.load(environment, numbers["environments"])
        self.exploration.load(exploration)
        self.load_kept(kept, numbers["buffer"])

    def kept_tensors(self) -> Mapping[str, Tensor]:
        """Return the tensors of what is kept, without copying."""
        return {}

    def kept_json(self) -> Mapping[str, Any]:
        """Return the rest of what is kept."""
        return {}

    def load_kept(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Restore what was kept."""

    def seed(self, step: int) -> None:
        """Seed the random numbers with which step `step` collects."""
        self.generator.manual_seed(update_seed(self.plan.seed, step, EXPLORATION_STREAM))
        if self.policy.is_random:
            seed_step(update_seed(self.plan.seed, step, BEHAVIOUR_STREAM), self.device)

    def play(self, step: int) -> tuple[Transition, Mapping[str, Tensor]]:
        """Make one step of every copy with the behaviour; also return what the policy computed for it."""
        outputs = self.policy(self.environments.observe())
        actions = self.exploration(outputs[self.data.behaviour_output], step, self.generator)
        return self.do(actions), outputs

    def do(self, actions: Tensor) -> Transition:
        """Make one step of every copy with some actions."""
        transition = self.environments.step(actions)
        if transition.ended:
            self.ended += transition.ended
            self.exploration.begin_episodes(each.copy for each in transition.ended)
        return transition

    def _copy(self) -> Self:
        copied = type(self)(self.parts, self.experience)
        copied.load_state_dict(self.state_dict(), self.state_json())
        return copied
