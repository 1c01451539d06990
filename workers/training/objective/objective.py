"""The objective of a job: one loss, or the weighted sum of several, and how the outputs are read for metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add

import torch
from torch import Tensor

from app.spec.data.columns import Column
from app.spec.training.objective import Objective, head_pointer
from workers.data.columns import PreparedColumn
from workers.data.loading.examples import TrainingData
from workers.training.objective.class_weights import resolve_balanced_weights
from workers.training.objective.decode import OutputDecoder, build_decoder, target_cast
from workers.training.objective.losses import (
    DenominatorFunction,
    EvaluationLoss,
    OutputTensors,
    StepDenominator,
    TargetCast,
    TargetTensors,
    TrainingLoss,
    build_loss,
)


@dataclass(frozen=True)
class OutputLoss:
    """A loss that is an output itself: one number, or one for each example, which are averaged."""

    output: str

    def denominator_function(self, targets: Mapping[str, PreparedColumn], parts: int) -> DenominatorFunction | None:
        """Return nothing: all examples count alike."""
        return None

    def batch_loss(
        self, outputs: OutputTensors, targets: TargetTensors, share: float, whole: StepDenominator = None
    ) -> Tensor:
        """Return the loss of a batch."""
        output = outputs[self.output].float()
        loss = output if output.ndim == 0 else output.mean()
        return loss * share if share < 1 else loss

    def sum_and_divisor(
        self, outputs: OutputTensors, targets: TargetTensors, rows: int, counts: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return the sum of a batch, and how many examples it has."""
        return self.batch_loss(outputs, targets, 1) * rows, torch.tensor(rows)

    def is_mean_over_targets(self, targets: Mapping[str, PreparedColumn]) -> bool:
        """Say that it is a mean over all examples."""
        return False

    def pop_head_losses(self) -> None:
        """Return nothing: the only loss is the whole."""


@dataclass(frozen=True)
class ObjectiveHead:
    """One loss of the objective, and how its output is read; the only one has no name."""

    name: str
    loss: EvaluationLoss
    weight: float = 1.0
    decoder: OutputDecoder | None = None
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class WeightedSumLoss:
    """Several losses, whose weighted sum is minimised."""

    heads: Sequence[ObjectiveHead]
    _heard: list[Tensor] = field(default_factory=list)

    def denominator_function(self, targets: Mapping[str, PreparedColumn], parts: int) -> DenominatorFunction | None:
        """Return what counts for each loss, if for any."""
        counters = [head.loss.denominator_function(targets, parts) for head in self.heads]
        if all(counter is None for counter in counters):
            return None
        return lambda batches: [counter(batches) if counter is not None else None for counter in counters]

    def batch_loss(
        self, outputs: OutputTensors, targets: TargetTensors, share: float, whole: StepDenominator = None
    ) -> Tensor:
        """Return the sum for a batch; the losses are kept until they are heard."""
        wholes = whole or [None] * len(self.heads)
        losses = [
            head.loss.batch_loss(outputs, targets, share, each) for head, each in zip(self.heads, wholes, strict=True)
        ]
        self._heard.append(torch.stack([loss.detach() for loss in losses]))
        parts = [
            loss if head.weight == 1 else loss * head.weight for head, loss in zip(self.heads, losses, strict=True)
        ]
        return reduce(add, parts)

    def pop_head_losses(self) -> Tensor:
        """Return the losses of a step: (heads)."""
        found = self._heard[0] if len(self._heard) == 1 else torch.stack(self._heard).sum(0)
        self._heard.clear()
        return found


@dataclass(frozen=True)
class BuiltObjective:
    """What the loop minimises, and the heads that are evaluated."""

    loss: TrainingLoss
    heads: tuple[ObjectiveHead, ...]


def build_objective(
    spec: Objective,
    columns: Mapping[str, Column | None],
    outputs: Sequence[str],
    data: TrainingData,
    device: torch.device,
) -> tuple[BuiltObjective, TrainingData]:
    """Build the heads, and give the data the targets that they want. Raises `BuildError`.

    `columns` are the targets by head, `outputs` the network's. Weights that are balanced are so on the training rows.
    """
    watched = {
        name: (head, column)
        for name, head in spec.all_heads().items()
        if head.has_metrics_output and (column := columns[name]) is not None
    }
    keys: dict[tuple[str, TargetCast], str] = {}
    for name, (head, column) in watched.items():
        taken = column.name in keys.values()
        keys.setdefault((column.name, target_cast(head, column)), f"{column.name}/{name}" if taken else column.name)
    data = data.cast({key: made for made, key in keys.items()})
    heads = []
    for name, head in spec.all_heads().items():
        output, column = head.output or outputs[0], columns[name]
        loss: EvaluationLoss = OutputLoss(output)
        reading = None
        if name in watched and column is not None:
            target = keys[column.name, target_cast(head, column)]
            reading = build_decoder(head, column, head.metrics_output or outputs[0], target)
            if head.has_loss_target:
                settled = resolve_balanced_weights(head.loss, data.train.targets[target], column.classes or 0)
                loss = build_loss(
                    settled, output, target, last=head.classes == "last", place=head_pointer(name), device=device
                )
        heads.append(ObjectiveHead(name, loss, head.weight, reading, head.metrics))
    minimised = heads[0].loss if spec.heads is None else WeightedSumLoss(heads)
    return BuiltObjective(minimised, tuple(heads)), data
