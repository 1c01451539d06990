"""The objective of a job: one loss, or the weighted sum of several, and how the outputs are decoded for metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add

import torch
from torch import Tensor

from app.spec.data.columns import Column
from app.spec.training.losses import equivalent_loss
from app.spec.training.objective import Head, Objective, head_pointer
from workers.data.columns import PreparedColumn
from workers.data.loading.examples import TrainingData
from workers.training.objective.class_weights import resolve_balanced_weights
from workers.training.objective.decode import OutputDecoder, build_decoder
from workers.training.objective.losses import TargetCast, target_cast
from workers.training.objective.sequences import SequenceLoss, build_sequence_loss
from workers.training.objective.training_loss import (
    DenominatorFunction,
    EvaluationLoss,
    OutputLoss,
    OutputTensors,
    StepDenominators,
    TargetTensors,
    TrainingLoss,
    build_loss,
)

TargetKeys = dict[tuple[str, TargetCast], str]  # column and its cast → key of the targets in a batch


@dataclass(frozen=True)
class ObjectiveHead:
    """One loss of the objective, and how its output is decoded; the only one has no name."""

    name: str
    loss: EvaluationLoss
    weight: float = 1.0  # 0: it is evaluated only
    decoder: OutputDecoder | None = None
    metrics: tuple[str, ...] = ()

    @property
    def advice_if_infinite(self) -> str:
        """What to do first where the loss is infinite, in words with a separator behind them; mostly nothing."""
        return self.loss.advice_if_infinite if isinstance(self.loss, SequenceLoss) else ""


@dataclass(frozen=True)
class WeightedSumLoss:
    """Several losses, whose weighted sum is minimised."""

    heads: Sequence[ObjectiveHead]
    _head_losses: list[Tensor] = field(default_factory=list)  # (heads) of each batch since the last step

    def denominator_function(self, targets: Mapping[str, PreparedColumn], batches: int) -> DenominatorFunction | None:
        """Return what counts the targets of each loss; `None` if no loss needs that."""
        functions = [head.loss.denominator_function(targets, batches) for head in self.heads]
        if all(function is None for function in functions):
            return None
        return lambda step: [function(step)[0] if function is not None else None for function in functions]

    def batch_loss(
        self, outputs: OutputTensors, targets: TargetTensors, share: float, denominators: StepDenominators | None = None
    ) -> Tensor:
        """Return the weighted sum for a batch: a float32 scalar; the losses are kept for `pop_head_losses`."""
        losses = [
            head.loss.batch_loss(outputs, targets, share, None if denominator is None else (denominator,))
            for head, denominator in zip(self.heads, denominators or [None] * len(self.heads), strict=True)
        ]
        self._head_losses.append(torch.stack([loss.detach() for loss in losses]))
        parts = [
            loss if head.weight == 1 else loss * head.weight for head, loss in zip(self.heads, losses, strict=True)
        ]
        return reduce(add, parts)

    def pop_head_losses(self) -> Tensor:
        """Return the losses of a step: (heads)."""
        losses = self._head_losses[0] if len(self._head_losses) == 1 else torch.stack(self._head_losses).sum(0)
        self._head_losses.clear()
        return losses


@dataclass(frozen=True)
class BuiltObjective:
    """What the loop minimises, and the heads that are evaluated."""

    loss: TrainingLoss
    heads: tuple[ObjectiveHead, ...]

    def part(self, names: Sequence[str]) -> TrainingLoss:
        """Return the weighted sum of some heads."""
        return WeightedSumLoss(tuple(head for head in self.heads if head.name in names))

    def part_outputs(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the outputs of the network that some heads read."""
        return tuple(dict.fromkeys(output for head in self.heads if head.name in names for output in head.loss.outputs))


def build_objective(
    spec: Objective,
    columns: Mapping[str, Column | None],
    outputs: Sequence[str],
    data: TrainingData,
    device: torch.device,
    minimised: Sequence[str],
) -> tuple[BuiltObjective, TrainingData]:
    """Build the heads, and cast the targets of the data for them. Raises `BuildError`.

    `columns` are the targets by head, `outputs` the network's, and `minimised` the heads that are trained: others are
    evaluated only. Balanced weights are counted on the training rows.
    """
    keys = _target_keys(spec, columns)
    data = data.cast({key: source for source, key in keys.items()})
    heads = tuple(
        _build_head(name, head, columns[name], outputs[0], keys, data, device)
        for name, head in spec.all_heads().items()
    )
    heads = tuple(head if head.name in minimised else replace(head, weight=0.0) for head in heads)
    return BuiltObjective(heads[0].loss if spec.heads is None else WeightedSumLoss(heads), heads), data


def _target_keys(spec: Objective, columns: Mapping[str, Column | None]) -> TargetKeys:
    """Return the targets that heads are compared with; heads with the same cast of a column share one."""
    keys: TargetKeys = {}
    for name, head in spec.all_heads().items():
        column = columns[name]
        if head.has_metrics_output and column is not None:
            key = f"{column.name}/{name}" if column.name in keys.values() else column.name
            keys.setdefault(_target_source(head, column), key)
    return keys


def _target_source(head: Head, column: Column) -> tuple[str, TargetCast]:
    return column.name, target_cast(equivalent_loss(head.loss, column), column)


def _build_head(
    name: str,
    head: Head,
    column: Column | None,
    first_output: str,
    keys: TargetKeys,
    data: TrainingData,
    device: torch.device,
) -> ObjectiveHead:
    output = head.output or first_output
    if not head.has_metrics_output or column is None:
        return ObjectiveHead(name, OutputLoss(output), head.weight, None, head.metrics)
    target = keys[_target_source(head, column)]
    loss: EvaluationLoss = OutputLoss(output)
    if head.loss.row.task_type == "sequences":
        last = head.classes == "last"
        loss = build_sequence_loss(head.loss, output, target, classes_last=last, pointer=head_pointer(name))
    elif head.has_loss_target:
        loss = build_loss(
            resolve_balanced_weights(head.loss, data.train.targets[target], column.classes or 0),
            output,
            target,
            classes_last=head.classes == "last",
            pointer=head_pointer(name),
            device=device,
        )
    preprocessor = data.preparation.preprocessors.get(column.name)
    scaling = preprocessor.target_scaling if preprocessor is not None else None
    decoder = build_decoder(head, column, head.metrics_output or first_output, target, scaling)
    decoder = replace(decoder, tokens=data.preparation.token_names(column.name))
    return ObjectiveHead(name, loss, head.weight, decoder, head.metrics)
