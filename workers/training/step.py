"""One step: its updates one after the other, each with forward passes, loss, gradients and new weights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from app.faultpoints import faultpoint
from workers.data.loading.batch_source import BatchSource, WeightedBatch
from workers.data.rng import update_seed
from workers.network.runtime.build import BuiltNetwork, flow_metrics, network_part
from workers.training.devices import Precision, seed_step
from workers.training.objective.training_loss import DenominatorFunction, TrainingLoss
from workers.training.optim.update import Update
from workers.training.optim.update_state import UpdateState
from workers.training.state import TrainState


class UpdateResult(NamedTuple):
    """What an update is reported with; tensors are on the device."""

    place: int  # of the update in the plan
    loss: Tensor  # scalar
    head_losses: Tensor | None  # (heads,), where there are several
    skipped: Tensor | None  # 1.0 if the update was skipped, 0.0 if not; `None` if nothing was checked


@dataclass(frozen=True)
class UpdateRule:
    """What an update minimises, and how it is taken."""

    objective: TrainingLoss
    update: Update
    every: int = 1  # it is taken at the steps that this divides


@dataclass
class TrainingStep:
    """Takes steps on a `TrainState`, whose network, updates and source may be replaced between two steps.

    A step takes the updates of the state, in order, by the rule at the same place. From step to step it keeps only how
    the losses of the source are averaged.
    """

    rules: list[UpdateRule]
    precision: Precision
    accumulate: int
    seed: int
    _source: BatchSource | None = None  # of which `_denominators` are
    _denominators: Sequence[DenominatorFunction | None] = ()  # by rule

    def run(self, state: TrainState, batches: Sequence[WeightedBatch]) -> list[UpdateResult]:
        """Take the step that comes after `state.counters.step`, from its batches. The counter stays as it is."""
        self._inspect_targets(state.source)
        step = state.counters.step + 1
        return [
            self._take(place, rule, state, batches)
            for place, rule in enumerate(self.rules)
            if rule.every == 1 or step % rule.every == 0
        ]

    def _take(self, place: int, rule: UpdateRule, state: TrainState, batches: Sequence[WeightedBatch]) -> UpdateResult:
        own = state.updates[place]
        network = state.network if own.network is None else own.network

        def closure() -> Tensor:
            """Compute loss and gradients of the same update again, with the same random numbers."""
            self._seed(network, state, place)
            loss = self._backward(place, own, network, batches)
            rule.objective.pop_head_losses()  # an update is reported with its first evaluation
            return loss

        self._seed(network, state, place)
        loss = self._backward(place, own, network, batches)
        head_losses = rule.objective.pop_head_losses()
        faultpoint("mid_step")
        return UpdateResult(place, loss, head_losses, rule.update.step(own, loss, closure, state.counters.step))

    def seed_random(self, state: TrainState) -> None:
        """Seed the random numbers of a step: they are functions of (seed, step), wherever the attempt began."""
        self._seed(state.network, state, 0)

    def _seed(self, network: BuiltNetwork, state: TrainState, place: int) -> None:
        if network.is_random:
            seed_step(update_seed(self.seed, state.counters.step, place), self.precision.device)

    def add_gradients(
        self,
        network: BuiltNetwork,
        state: TrainState,
        batches: Sequence[WeightedBatch],
        inputs: Sequence[Sequence[Tensor] | None],
    ) -> None:
        """Add the gradients of the next step to a copy of the network, unscaled; the training stays as it is.

        `inputs` are the parameters of each update whose gradients are computed, `None` for all. The gradients of
        every update are those at the present weights.
        """
        self._inspect_targets(state.source)
        for place, (rule, own, parameters) in enumerate(zip(self.rules, state.updates, inputs, strict=True)):
            part = network if own.network is None else network_part(network, tuple(own.network.blueprint.outputs))
            self._seed(part, state, place)
            for loss in self._losses(place, part, batches):
                loss.backward(inputs=parameters)
            rule.objective.pop_head_losses()
        flow_metrics(network)

    def _backward(
        self, place: int, own: UpdateState, network: BuiltNetwork, batches: Sequence[WeightedBatch]
    ) -> Tensor:
        """Accumulate the gradients of a step's batches; return its whole loss (scalar), on the device."""
        losses, update = [], self.rules[place].update
        for loss in self._losses(place, network, batches):
            update.backward(own, loss)
            losses.append(loss.detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _losses(self, place: int, network: BuiltNetwork, batches: Sequence[WeightedBatch]) -> Iterator[Tensor]:
        """Yield what each batch adds to the loss of its update: scalars with gradients."""
        forward, denominator = self.precision.autocast(network), None
        objective, function = self.rules[place].objective, self._denominators[place]
        if function is not None:
            denominator = function([targets for _, targets, _ in batches])
        for inputs, targets, share in batches:
            yield objective.batch_loss(forward(inputs), targets, share, denominator)

    def _inspect_targets(self, source: BatchSource) -> None:
        """Look at the targets of a source that is new, which takes a pass over them and waits for the device."""
        if source is not self._source:
            self._denominators = [
                rule.objective.denominator_function(source.targets, self.accumulate) for rule in self.rules
            ]
            self._source = source
