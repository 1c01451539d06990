"""What the loop asks of the data of a job, whichever they are."""

from collections.abc import Callable, Iterator
from typing import Protocol

from app.errors import Problem
from app.spec.training.plan import Training
from workers.data.loading.batch_source import BatchSource
from workers.data.loading.epochs import Epochs
from workers.network.runtime.build import BuiltNetwork
from workers.training.metrics.evaluation import EvaluationResult
from workers.training.sources.final_test import FinalTest


class TrainingSource(Protocol):
    """Where the batches of a training come from, and what its network is evaluated by.

    The state of what is read is that of `batches`. An evaluation changes nothing that a step depends on.
    """

    @property
    def batches(self) -> BatchSource:
        """The batches of every step."""
        ...

    @property
    def epochs(self) -> Epochs:
        """How many steps an epoch has."""
        ...

    @property
    def has_validation(self) -> bool:
        """Whether an evaluation measures series of `val/`."""
        ...

    @property
    def test(self) -> FinalTest | None:
        """What is tested once, at the end."""
        ...

    def warnings(self) -> Iterator[Problem]:
        """Yield what an evaluation will not be able to measure."""
        ...

    def evaluate(
        self, network: BuiltNetwork, seed: Callable[[], None], is_interrupted: Callable[[], bool]
    ) -> EvaluationResult:
        """Return what an evaluation measures of a network, which comes back in training mode.

        `seed` seeds torch's random numbers as those of the step. Raises `EvaluationInterrupted` if `is_interrupted()`.
        """
        ...


def run_steps(plan: Training, epochs: Epochs) -> int:
    """Return the number of steps of the run: of the epochs before the origin, and of those after it."""
    if plan.steps is not None:
        return plan.steps
    left = (plan.epochs or 1) - epochs.origin.epoch
    return epochs.origin.step + max(0, left) * epochs.steps_per_epoch
