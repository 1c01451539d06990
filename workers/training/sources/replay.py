"""Replay: the last transitions, of which every step draws batches uniformly (Lin 1992)."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from app.spec.data.environments.experience import ReplayExperience
from workers.data.loading.batch_source import Segment, WeightedBatch
from workers.data.rng import update_seed
from workers.environments.buffers.replay import ReplayBuffer
from workers.environments.transition import Transition
from workers.training.sources.collector import BATCH_STREAM, BUFFER_PREFIX, Collector, CollectorParts

MIN_SEGMENT_ROWS, MAX_SEGMENTS = 16_384, 64


class ReplayCollector(Collector[ReplayExperience]):
    """Makes some steps of every copy in each step of the training, and draws batches of all that is kept."""

    def __init__(self, parts: CollectorParts, experience: ReplayExperience) -> None:
        super().__init__(parts, experience)
        self.buffer = ReplayBuffer(experience.capacity, self.device)
        self.added = 0  # transitions so far

    def batches(self, step: int) -> list[WeightedBatch]:
        """Collect with the present weights, before the first step with random actions, and draw batches."""
        self.seed(step)
        if step == 0:
            self._begin()
        with self.policy.acting():
            for _ in range(self.experience.steps):
                self._keep(self.play(step)[0])
        self.generator.manual_seed(update_seed(self.plan.seed, step, BATCH_STREAM))
        size, count = self.plan.batch_size, self.plan.accumulate
        return [(self.buffer.sample(size, self.generator), {}, 1 / count) for _ in range(count)]

    def _begin(self) -> None:
        """Collect with random actions, uniform over the space."""
        copies = self.data.copies
        for _ in range(-(-self.experience.start_steps // copies)):
            self._keep(self.do(self.environments.actions.uniform(copies, self.generator)))

    def _keep(self, transition: Transition) -> None:
        self.buffer.add(transition)
        self.added += self.data.copies

    def segments(self) -> list[Segment]:
        """Return the transitions that are kept by parts, which change where the next ones are written."""
        kept, capacity = self.buffer.state_tensors(), self.experience.capacity
        size = max(MIN_SEGMENT_ROWS, -(-capacity // MAX_SEGMENTS))
        parts = []
        for begin in range(0, len(self.buffer), size):
            end = min(begin + size, len(self.buffer))
            newest = last_written(self.added - 1, capacity, begin, end)
            rows = {f"{BUFFER_PREFIX}{name}": each[begin:end] for name, each in kept.items()}
            parts.append(Segment(begin // size, newest, rows))
        return parts

    def kept_tensors(self) -> Mapping[str, Tensor]:
        """Return the transitions that are kept."""
        return self.buffer.state_tensors()

    def kept_json(self) -> Mapping[str, Any]:
        """Return where the next transition is written, and how many there were."""
        return {**self.buffer.state_json(), "added": self.added}

    def load_kept(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Restore the transitions."""
        self.buffer.load(tensors, numbers)
        self.added = numbers["added"]


def last_written(last: int, capacity: int, begin: int, end: int) -> int:
    """Return the number of the newest transition in the rows from `begin` to `end` of a buffer.

    Transitions have numbers from 0 on, of which `last` is the newest; number n is written to row n modulo capacity.
    """
    place = last % capacity  # of the newest of all
    if place < begin:  # the rows were written in the round before
        return last - (place + capacity - (end - 1))
    return last - max(0, place - (end - 1))
