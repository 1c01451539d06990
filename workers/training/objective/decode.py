"""What outputs say: scores, probabilities and choices beside the truth, read from a batch as the loss means it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from app.spec.data.columns import Column
from app.spec.training.losses import OWN, About, about
from app.spec.training.objective import Head
from workers.data.columns import Made, Ragged
from workers.training.objective.losses import LOSSES, Cast

# Kind of loss → probabilities from scores (rows, classes), or of a yes.
CHANCES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "CrossEntropyLoss": lambda scores: scores.softmax(1),
    "NLLLoss": torch.exp,
    "MultiMarginLoss": lambda scores: scores.softmax(1),
    "BCEWithLogitsLoss": torch.sigmoid,
    "BCELoss": lambda scores: scores,
    "SoftMarginLoss": torch.sigmoid,
    "MultiLabelSoftMarginLoss": torch.sigmoid,
}

# Losses of yes-or-no outputs: (output above this is a yes, target above this is one).
DECISIONS: Mapping[str, tuple[float, float]] = {
    "BCEWithLogitsLoss": (0.0, 0.5),
    "BCELoss": (0.5, 0.5),
    "SoftMarginLoss": (0.0, 0.0),
    "MultiLabelSoftMarginLoss": (0.0, 0.5),
}

# What the scores beside an own loss are about → the loss that reads scores in the same way.
READ_LIKE: Mapping[About, str] = {
    "classes": "CrossEntropyLoss",
    "tags": "CrossEntropyLoss",
    "decisions": "BCEWithLogitsLoss",
    "labels": "BCEWithLogitsLoss",
    "numbers": "MSELoss",
}


@dataclass(frozen=True)
class Answers:
    """A batch, read: what counts of it alone.

    Of classes and tags: scores (M, C), choice and truth (M). Of decisions: all three (M). Of labels: all three (N, C).
    Of numbers: choice and truth (M), in double precision. `lists` are choice and truth of tags as (N, L), with the
    ignored class where nothing counts.
    """

    kind: str
    scores: Tensor | None
    choice: Tensor
    truth: Tensor
    lists: tuple[Tensor, Tensor] | None = None

    @cached_property
    def chances(self) -> Tensor:
        """The scores as probabilities, in double precision: in single, what is nearly certain would be all alike."""
        assert self.scores is not None  # noqa: S101 - the inspector sees to it
        return CHANCES[self.kind](self.scores.double())


@dataclass(frozen=True)
class Reading:
    """How an output and its target are read."""

    about: About
    kind: str  # of the loss, or of one that reads alike
    output: str
    target: str  # among the targets of a batch
    column: str = ""  # that the target is made of
    last: bool = False  # the scores of classes are the last dimension
    ignored: int = -100
    exponential: bool = False  # the output is the logarithm of the number
    classes: int = 2
    labels: tuple[str, ...] | None = None

    def gaps(self, target: Made) -> bool:
        """Say whether some places do not count. Looks at every target, and waits for the device."""
        if not isinstance(target, Tensor) or target.is_floating_point():
            return isinstance(target, Ragged)
        return self.about in ("classes", "tags") and bool(torch.eq(target, self.ignored).any())

    def answers(self, output: Tensor, target: Tensor, gaps: bool) -> Answers:
        """Read a batch; with `gaps` what does not count is left out, for which the device is waited."""
        if output.device.type == "mps":  # which knows no double precision
            output, target = output.cpu(), target.cpu()
        return READERS[self.about](self, output, target, gaps)


def _of_classes(reading: Reading, output: Tensor, target: Tensor, gaps: bool) -> Answers:
    scores = None
    if output.is_floating_point():
        rows = output.float() if reading.last else output.float().movedim(1, -1)
        scores, choice = rows.reshape(-1, rows.shape[-1]), rows.argmax(-1)
        target = target.argmax(-1 if reading.last else 1) if target.is_floating_point() else target
    else:
        choice = output.long()
    lists = None
    if reading.about == "tags":
        lists = torch.where(torch.eq(target, reading.ignored), target, choice), target
    choice, truth = choice.flatten(), target.flatten()
    if gaps:
        kept = torch.ne(truth, reading.ignored)
        scores, choice, truth = scores[kept] if scores is not None else None, choice[kept], truth[kept]
    return Answers(reading.kind, scores, choice, truth, lists)


def _of_decisions(reading: Reading, output: Tensor, target: Tensor, gaps: bool) -> Answers:
    scores, truth = output.float().flatten(), target.flatten()
    if gaps:
        kept = ~truth.isnan()
        scores, truth = scores[kept], truth[kept]
    return _decided(reading, scores, truth)


def _of_labels(reading: Reading, output: Tensor, target: Tensor, gaps: bool) -> Answers:
    return _decided(reading, output.float(), target.reshape(output.shape))


def _decided(reading: Reading, scores: Tensor, truth: Tensor) -> Answers:
    above, true_above = DECISIONS[reading.kind]
    return Answers(reading.kind, scores, (scores > above).long(), (truth > true_above).long())


def _of_numbers(reading: Reading, output: Tensor, target: Tensor, gaps: bool) -> Answers:
    choice, truth = output.double().flatten(), target.double().flatten()
    if gaps:
        kept = ~truth.isnan()
        choice, truth = choice[kept], truth[kept]
    return Answers(reading.kind, None, choice.exp() if reading.exponential else choice, truth)


READERS: Mapping[About, Callable[[Reading, Tensor, Tensor, bool], Answers]] = {
    "classes": _of_classes,
    "tags": _of_classes,
    "decisions": _of_decisions,
    "labels": _of_labels,
    "numbers": _of_numbers,
}


def read(head: Head, column: Column, output: str, target: str) -> Reading:
    """Return how the metrics of a head read `output`; `target` is the key of the targets in a batch."""
    what = about(head.loss, column)
    kind = READ_LIKE[what] if head.loss.kind == OWN else head.loss.kind
    ignored = getattr(head.loss, "ignore_index", -100)
    logarithm = getattr(head.loss, "log_input", False) or not getattr(head.loss, "log_target", True)
    classes = column.classes or 2 if what in ("classes", "tags") else 2
    return Reading(what, kind, output, target, column.name, head.classes == "last", ignored, logarithm, classes,
                   column.labels)  # fmt: skip


def cast_of(head: Head, column: Column) -> Cast:
    """Return what makes the targets of a head; beside an own loss, those of the loss that reads alike."""
    if head.compares:
        return Cast(LOSSES[head.loss.kind][1], getattr(head.loss, "ignore_index", math.nan))
    what = about(head.loss, column)
    return Cast(LOSSES[READ_LIKE[what]][1], -100 if what in ("classes", "tags") else math.nan)
