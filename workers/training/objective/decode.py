"""What outputs say: scores, probabilities and choices beside the truth, read from a batch as the loss means it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from app.spec.data.columns import Column
from app.spec.training.losses import OUTPUT_LOSS, TaskType, task_type
from app.spec.training.objective import Head
from workers.data.columns import PreparedColumn, RaggedTensor
from workers.training.objective.losses import LOSSES, TargetCast

# Kind of loss → probabilities from scores (rows, classes), or of a yes.
PROBABILITY_FUNCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "CrossEntropyLoss": lambda scores: scores.softmax(1),
    "NLLLoss": torch.exp,
    "MultiMarginLoss": lambda scores: scores.softmax(1),
    "BCEWithLogitsLoss": torch.sigmoid,
    "BCELoss": lambda scores: scores,
    "SoftMarginLoss": torch.sigmoid,
    "MultiLabelSoftMarginLoss": torch.sigmoid,
}

# Losses of yes-or-no outputs: (output above this is a yes, target above this is one).
DECISION_THRESHOLDS: Mapping[str, tuple[float, float]] = {
    "BCEWithLogitsLoss": (0.0, 0.5),
    "BCELoss": (0.5, 0.5),
    "SoftMarginLoss": (0.0, 0.0),
    "MultiLabelSoftMarginLoss": (0.0, 0.5),
}

# What the scores beside an own loss are about → the loss that reads scores in the same way.
EQUIVALENT_LOSSES: Mapping[TaskType, str] = {
    "classes": "CrossEntropyLoss",
    "tags": "CrossEntropyLoss",
    "decisions": "BCEWithLogitsLoss",
    "labels": "BCEWithLogitsLoss",
    "numbers": "MSELoss",
}


@dataclass(frozen=True)
class Predictions:
    """A batch, read: what counts of it alone.

    Of classes and tags: scores (M, C), choice and truth (M). Of decisions: all three (M). Of labels: all three (N, C).
    Of numbers: choice and truth (M), in double precision. `lists` are choice and truth of tags as (N, L), with the
    ignored class where nothing counts.
    """

    kind: str
    scores: Tensor | None
    predicted: Tensor
    target: Tensor
    tag_lists: tuple[Tensor, Tensor] | None = None

    @cached_property
    def probabilities(self) -> Tensor:
        """The scores as probabilities, in double precision: in single, what is nearly certain would be all alike."""
        assert self.scores is not None  # noqa: S101 - the inspector sees to it
        return PROBABILITY_FUNCTIONS[self.kind](self.scores.double())


@dataclass(frozen=True)
class OutputDecoder:
    """How an output and its target are read."""

    about: TaskType
    kind: str  # of the loss, or of one that reads alike
    output: str
    target: str  # among the targets of a batch
    column: str = ""  # that the target is made of
    classes_last: bool = False  # the scores of classes are the last dimension
    ignore_index: int = -100
    log_output: bool = False  # the output is the logarithm of the number
    classes: int = 2
    labels: tuple[str, ...] | None = None

    def has_ignored_targets(self, target: PreparedColumn) -> bool:
        """Say whether some places do not count. Looks at every target, and waits for the device."""
        if not isinstance(target, Tensor) or target.is_floating_point():
            return isinstance(target, RaggedTensor)
        return self.about in ("classes", "tags") and bool(torch.eq(target, self.ignore_index).any())

    def decode(self, output: Tensor, target: Tensor, gaps: bool) -> Predictions:
        """Read a batch; with `gaps` what does not count is left out, for which the device is waited."""
        if output.device.type == "mps":  # which knows no double precision
            output, target = output.cpu(), target.cpu()
        return DECODERS[self.about](self, output, target, gaps)


def _decode_classes(reading: OutputDecoder, output: Tensor, target: Tensor, gaps: bool) -> Predictions:
    scores = None
    if output.is_floating_point():
        rows = output.float() if reading.classes_last else output.float().movedim(1, -1)
        scores, choice = rows.reshape(-1, rows.shape[-1]), rows.argmax(-1)
        target = target.argmax(-1 if reading.classes_last else 1) if target.is_floating_point() else target
    else:
        choice = output.long()
    lists = None
    if reading.about == "tags":
        lists = torch.where(torch.eq(target, reading.ignore_index), target, choice), target
    choice, truth = choice.flatten(), target.flatten()
    if gaps:
        kept = torch.ne(truth, reading.ignore_index)
        scores, choice, truth = scores[kept] if scores is not None else None, choice[kept], truth[kept]
    return Predictions(reading.kind, scores, choice, truth, lists)


def _decode_decisions(reading: OutputDecoder, output: Tensor, target: Tensor, gaps: bool) -> Predictions:
    scores, truth = output.float().flatten(), target.flatten()
    if gaps:
        kept = ~truth.isnan()
        scores, truth = scores[kept], truth[kept]
    return _apply_threshold(reading, scores, truth)


def _decode_labels(reading: OutputDecoder, output: Tensor, target: Tensor, gaps: bool) -> Predictions:
    return _apply_threshold(reading, output.float(), target.reshape(output.shape))


def _apply_threshold(reading: OutputDecoder, scores: Tensor, truth: Tensor) -> Predictions:
    above, true_above = DECISION_THRESHOLDS[reading.kind]
    return Predictions(reading.kind, scores, (scores > above).long(), (truth > true_above).long())


def _decode_numbers(reading: OutputDecoder, output: Tensor, target: Tensor, gaps: bool) -> Predictions:
    choice, truth = output.double().flatten(), target.double().flatten()
    if gaps:
        kept = ~truth.isnan()
        choice, truth = choice[kept], truth[kept]
    return Predictions(reading.kind, None, choice.exp() if reading.log_output else choice, truth)


DECODERS: Mapping[TaskType, Callable[[OutputDecoder, Tensor, Tensor, bool], Predictions]] = {
    "classes": _decode_classes,
    "tags": _decode_classes,
    "decisions": _decode_decisions,
    "labels": _decode_labels,
    "numbers": _decode_numbers,
}


def build_decoder(head: Head, column: Column, output: str, target: str) -> OutputDecoder:
    """Return how the metrics of a head read `output`; `target` is the key of the targets in a batch."""
    what = task_type(head.loss, column)
    kind = EQUIVALENT_LOSSES[what] if head.loss.kind == OUTPUT_LOSS else head.loss.kind
    ignored = getattr(head.loss, "ignore_index", -100)
    logarithm = getattr(head.loss, "log_input", False) or not getattr(head.loss, "log_target", True)
    classes = column.classes or 2 if what in ("classes", "tags") else 2
    return OutputDecoder(
        what, kind, output, target, column.name, head.classes == "last", ignored, logarithm, classes, column.labels
    )


def target_cast(head: Head, column: Column) -> TargetCast:
    """Return what makes the targets of a head; beside an own loss, those of the loss that reads alike."""
    if head.has_loss_target:
        return TargetCast(LOSSES[head.loss.kind][1], getattr(head.loss, "ignore_index", math.nan))
    what = task_type(head.loss, column)
    return TargetCast(LOSSES[EQUIVALENT_LOSSES[what]][1], -100 if what in ("classes", "tags") else math.nan)
