"""Epochs: how many steps of the training each has, and which of them a step belongs to."""

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EpochOrigin:
    """The step and the number of the epoch from which on epochs have their present length."""

    step: int = 0
    epoch: int = 0


FIRST_EPOCH = EpochOrigin()


class Epochs(ABC):
    """Epochs of one length, counted from an origin: what the loop asks about the position of a step."""

    origin: EpochOrigin

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int:
        """The number of optimizer steps of an epoch."""

    def position(self, step: int) -> tuple[int, int]:
        """Return the epoch of step `step` (both from 0), and the number of the step in it."""
        epochs, position = divmod(step - self.origin.step, self.steps_per_epoch)
        return self.origin.epoch + epochs, position

    def passed(self, step: int) -> float:
        """Return how many epochs the first `step` steps are."""
        return self.origin.epoch + (step - self.origin.step) / self.steps_per_epoch

    def may_change(self, step: int) -> bool:
        """Say whether the batches may have another size from step `step` on: at the beginning of an epoch."""
        return self.position(step)[1] == 0

    def changed_at(self, step: int) -> EpochOrigin:
        """Return the origin of epochs whose length changes at the beginning of one, after `step` steps."""
        return EpochOrigin(step, self.position(step)[0])
