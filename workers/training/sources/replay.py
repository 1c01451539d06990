"""Replay: the last transitions, of which every step draws batches uniformly (Lin 1992)."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from app.spec.data.environments.experience import ReplayExperience
from workers.data.loading.batch_source import WeightedBatch
from workers.data.rng import update_seed
from workers.environments.buffers.replay import ReplayBuffer
from workers.training.sources.collector import BATCH_STREAM, Collector, CollectorParts


class ReplayCollector(Collector[ReplayExperience]):
    """Makes some steps of every copy in each step of the training, and draws batches of all that is kept."""

    def __init__(self, parts: CollectorParts, experience: ReplayExperience) -> None:
        super().__init__(parts, experience)
        self.buffer = ReplayBuffer(experience.capacity, self.device)

    def batches(self, step: int) -> list[WeightedBatch]:
        """Collect with the present weights, before the first step with random actions, and draw batches."""
        self.seed(step)
        if step == 0:
            self._begin()
        with self.policy.acting():
            for _ in range(self.experience.steps):
                self.buffer.add(self.play(step)[0])
        self.generator.manual_seed(update_seed(self.plan.seed, step, BATCH_STREAM))
        size, count = self.plan.batch_size, self.plan.accumulate
        return [(self.buffer.sample(size, self.generator), {}, 1 / count) for _ in range(count)]

    def _begin(self) -> None:
        """Collect with random actions, uniform over the space."""
        copies = self.data.copies
        for _ in range(-(-self.experience.start_steps // copies)):
            self.buffer.add(self.do(self.environments.actions.uniform(copies, self.generator)))

    def kept_tensors(self) -> Mapping[str, Tensor]:
        """Return the transitions that are kept."""
        return self.buffer.state_tensors()

    def kept_json(self) -> Mapping[str, Any]:
        """Return where the next transition is written."""
        return self.buffer.state_json()

    def load_kept(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Restore the transitions."""
        self.buffer.load(tensors, numbers)
