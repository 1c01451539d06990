"""One optimizer step: forward passes, loss, gradients and update, of what the state holds at that step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.faultpoints import faultpoint
from workers.data.loading.batch_source import BatchSource, WeightedBatch
from workers.data.rng import step_seed
from workers.network.runtime.build import BuiltNetwork, flow_metrics
from workers.training.devices import Precision, seed_step
from workers.training.objective.training_loss import DenominatorFunction, TrainingLoss
from workers.training.optim.update import Update
from workers.training.state import TrainState


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step is reported with; tensors are on the device."""

    loss: Tensor  # scalar
    head_losses: Tensor | None  # (heads,), where there are several
    skipped: Tensor | None  # 1.0 if the update was skipped, 0.0 if not; `None` if nothing was checked


@dataclass
class TrainingStep:
    """Takes optimizer steps on a `TrainState`, whose network, optimizer and source may be replaced between two steps.

    From step to step it keeps only how the losses of the source are averaged.
    """

    objective: TrainingLoss
    precision: Precision
    update: Update
    accumulate: int
    seed: int
    _source: BatchSource | None = None  # of which `_denominator` is
    _denominator: DenominatorFunction | None = None

    def run(self, state: TrainState, batches: Sequence[WeightedBatch]) -> StepResult:
        """Take the step that comes after `state.counters.step`, from its batches. The counter stays as it is."""
        self._inspect_targets(state.source)

        def closure() -> Tensor:
            """Compute loss and gradients of the same step again, with the same random numbers."""
            self.seed_random(state)
            loss = self._backward(state, batches)
            self.objective.pop_head_losses()  # a step is reported with its first evaluation
            return loss

        self.seed_random(state)
        loss = self._backward(state, batches)
        head_losses = self.objective.pop_head_losses()
        faultpoint("mid_step")
        return StepResult(loss, head_losses, self.update.step(state, loss, closure))

    def seed_random(self, state: TrainState) -> None:
        """Seed the random numbers of a step: they are functions of (seed, step), wherever the attempt began."""
        if state.network.is_random:
            seed_step(step_seed(self.seed, state.counters.step), self.precision.device)

    def add_gradients(self, network: BuiltNetwork, state: TrainState, batches: Sequence[WeightedBatch]) -> None:
        """Add the gradients of the next step to a copy of the network, unscaled; the training stays as it is."""
        self._inspect_targets(state.source)
        self.seed_random(state)
        for loss in self._losses(network, batches):
            loss.backward()
        self.objective.pop_head_losses()
        flow_metrics(network)

    def _backward(self, state: TrainState, batches: Sequence[WeightedBatch]) -> Tensor:
        """Accumulate the gradients of a step's batches; return its whole loss (scalar), on the device."""
        losses = []
        for loss in self._losses(state.network, batches):
            self.update.backward(state, loss)
            losses.append(loss.detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _losses(self, network: BuiltNetwork, batches: Sequence[WeightedBatch]) -> Iterator[Tensor]:
        """Yield what each batch adds to the loss of its step: scalars with gradients."""
        forward, denominator = self.precision.autocast(network), None
        if self._denominator is not None:
            denominator = self._denominator([targets for _, targets, _ in batches])
        for inputs, targets, share in batches:
            yield self.objective.batch_loss(forward(inputs), targets, share, denominator)

    def _inspect_targets(self, source: BatchSource) -> None:
        """Look at the targets of a source that is new, which takes a pass over them and waits for the device."""
        if source is not self._source:
            self._denominator = self.objective.denominator_function(source.targets, self.accumulate)
            self._source = source
