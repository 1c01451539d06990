"""The objective of a job: one loss, or the weighted sum of several, and how the outputs are read for metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add

import torch
from torch import Tensor

from app.spec.data.columns import Column
from app.spec.training.objective import Objective, place_of
from workers.data.columns import Made
from workers.data.loading.tensors import Tensors
from workers.training.objective.class_weights import balanced
from workers.training.objective.decode import Reading, cast_of, read
from workers.training.objective.losses import (
    Cast,
    Counter,
    Measured,
    Minimised,
    Outputs,
    Targets,
    Whole,
    build_loss,
)


@dataclass(frozen=True)
class Own:
    """A loss that is an output itself: one number, or one for each example, which are averaged."""

    output: str

    def counter(self, targets: Mapping[str, Made], parts: int) -> Counter | None:
        """Return nothing: all examples count alike."""
        return None

    def part(self, outputs: Outputs, targets: Targets, share: float, whole: Whole = None) -> Tensor:
        """Return the loss of a batch."""
        output = outputs[self.output].float()
        loss = output if output.ndim == 0 else output.mean()
        return loss * share if share < 1 else loss

    def measured(self, outputs: Outputs, targets: Targets, rows: int, counts: bool) -> tuple[Tensor, Tensor | None]:
        """Return the sum of a batch, and how many examples it has."""
        return self.part(outputs, targets, 1) * rows, torch.tensor(rows)

    def counts(self, targets: Mapping[str, Made]) -> bool:
        """Say that it is a mean over all examples."""
        return False

    def heard(self) -> None:
        """Return nothing: the only loss is the whole."""


@dataclass(frozen=True)
class Head:
    """One loss of the objective, and how its output is read; the only one has no name."""

    name: str
    loss: Measured
    weight: float = 1.0
    reading: Reading | None = None
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Weighed:
    """Several losses, whose weighted sum is minimised."""

    heads: Sequence[Head]
    _heard: list[Tensor] = field(default_factory=list)

    def counter(self, targets: Mapping[str, Made], parts: int) -> Counter | None:
        """Return what counts for each loss, if for any."""
        counters = [head.loss.counter(targets, parts) for head in self.heads]
        if all(counter is None for counter in counters):
            return None
        return lambda batches: [counter(batches) if counter is not None else None for counter in counters]

    def part(self, outputs: Outputs, targets: Targets, share: float, whole: Whole = None) -> Tensor:
        """Return the sum for a batch; the losses are kept until they are heard."""
        wholes = whole or [None] * len(self.heads)
        losses = [head.loss.part(outputs, targets, share, each)
                  for head, each in zip(self.heads, wholes, strict=True)]  # fmt: skip
        self._heard.append(torch.stack([loss.detach() for loss in losses]))
        parts = [loss if head.weight == 1 else loss * head.weight
                 for head, loss in zip(self.heads, losses, strict=True)]  # fmt: skip
        return reduce(add, parts)

    def heard(self) -> Tensor:
        """Return the losses of a step: (heads)."""
        found = self._heard[0] if len(self._heard) == 1 else torch.stack(self._heard).sum(0)
        self._heard.clear()
        return found


@dataclass(frozen=True)
class BuiltObjective:
    """What the loop minimises, and the heads that are evaluated."""

    minimised: Minimised
    heads: tuple[Head, ...]


def build_objective(
    spec: Objective,
    columns: Mapping[str, Column | None],
    outputs: Sequence[str],
    data: Tensors,
    device: torch.device,
) -> tuple[BuiltObjective, Tensors]:
    """Build the heads, and give the data the targets that they want. Raises `BuildError`.

    `columns` are the targets by head, `outputs` the network's. Weights that are balanced are so on the training rows.
    """
    watched = {name: (head, column) for name, head in spec.all_heads().items()
               if head.watches and (column := columns[name]) is not None}  # fmt: skip
    keys: dict[tuple[str, Cast], str] = {}
    for name, (head, column) in watched.items():
        taken = column.name in keys.values()
        keys.setdefault((column.name, cast_of(head, column)), f"{column.name}/{name}" if taken else column.name)
    data = data.cast({key: made for made, key in keys.items()})
    heads = []
    for name, head in spec.all_heads().items():
        output, column = head.output or outputs[0], columns[name]
        loss: Measured = Own(output)
        reading = None
        if name in watched and column is not None:
            target = keys[column.name, cast_of(head, column)]
            reading = read(head, column, head.watched or outputs[0], target)
            if head.compares:
                settled = balanced(head.loss, data.train.targets[target], column.classes or 0)
                loss = build_loss(settled, output, target, last=head.classes == "last", place=place_of(name),
                                  device=device)  # fmt: skip
        heads.append(Head(name, loss, head.weight, reading, head.metrics))
    minimised = heads[0].loss if spec.heads is None else Weighed(heads)
    return BuiltObjective(minimised, tuple(heads)), data
