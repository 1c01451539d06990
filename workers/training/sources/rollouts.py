"""Rollouts: steps with the weights of one moment, and several passes over them in batches (Schulman et al. 2017)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from app.spec.data.environments.experience import RolloutExperience
from workers.data.loading.batch_source import WeightedBatch
from workers.data.loading.epochs import EpochOrigin
from workers.data.loading.sampler import Sampler
from workers.environments.buffers.advantages import normalize
from workers.environments.buffers.rollout import RolloutBuffer
from workers.environments.transition import Transition
from workers.training.sources.collector import Collector, CollectorParts
from workers.training.sources.policy import Policy


class RolloutCollector(Collector[RolloutExperience]):
    """Collects a rollout whenever the passes over the one before are done.

    A rollout serves whole passes of the sampler, whose epochs they are.
    """

    def __init__(self, parts: CollectorParts, experience: RolloutExperience) -> None:
        super().__init__(parts, experience)
        plan, copies, steps = self.plan, self.data.copies, experience.steps
        self.value = Policy(parts.network, (experience.value,), parts.precision)
        self.buffer = RolloutBuffer(steps, copies, experience.gamma, experience.lambda_, self.device)
        self.sampler = Sampler(plan.seed, steps * copies, plan.batch_size, plan.accumulate, device=self.device)
        self.until = 0  # the step of the training that needs the next rollout

    def policy_outputs(self) -> Sequence[str]:
        """Return the behaviour, the logarithm of its probability, and the value of the observation."""
        return self.data.behaviour_output, self.experience.log_prob, self.experience.value

    def may_change(self, step: int) -> bool:
        """Say whether step `step` begins with a rollout."""
        return step >= self.until

    def batches(self, step: int) -> list[WeightedBatch]:
        """Return the batches of a step of the passes, after the next rollout if it is due."""
        if step >= self.until:
            self._collect(step)
        return [(self._gather(indices), {}, share) for indices, share in self.sampler.batches(step)]

    def _collect(self, step: int) -> None:
        self.seed(step)
        with self.policy.acting():
            for number in range(1, self.experience.steps + 1):
                transition, outputs = self.play(step)
                following = self._next_value(transition, number == self.experience.steps)
                log_prob, value = (_column(outputs[name]) for name in (self.experience.log_prob, self.experience.value))
                self.buffer.add(transition, outputs[self.data.behaviour_output], log_prob, value, following)
        self.buffer.finish()
        self.buffer.clear()
        epochs = self.experience.epochs
        self.sampler.origin = EpochOrigin(step, self.sampler.origin.epoch + epochs if step else 0)
        self.until = step + epochs * self.sampler.steps_per_epoch

    def _next_value(self, transition: Transition, is_last: bool) -> Tensor | None:
        """Return the value (copies, 1) of what follows, where no further step of the rollout tells it."""
        if not is_last and not transition.truncated.any():
            return None
        return _column(self.value(transition.next_observation)[self.experience.value])

    def _gather(self, indices: Tensor) -> Mapping[str, Tensor]:
        columns = {name: column.index_select(0, indices) for name, column in self.buffer.columns.items()}
        if self.experience.normalize_advantage:
            columns["advantage"] = normalize(columns["advantage"])
        return columns

    def kept_tensors(self) -> Mapping[str, Tensor]:
        """Return the present rollout."""
        return self.buffer.state_tensors()

    def kept_json(self) -> Mapping[str, Any]:
        """Return where the passes over the rollout began, and when the next one is due."""
        origin = self.sampler.origin
        return {**self.buffer.state_json(), "step": origin.step, "pass": origin.epoch, "until": self.until}

    def load_kept(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Restore the rollout."""
        self.buffer.load(tensors, numbers)
        self.sampler.origin, self.until = EpochOrigin(numbers["step"], numbers["pass"]), numbers["until"]


def _column(values: Tensor) -> Tensor:
    """Return numbers (N) or (N, 1) as (N, 1)."""
    return torch.reshape(values, (len(values), 1))
