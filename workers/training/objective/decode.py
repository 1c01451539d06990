"""From outputs of a network to predictions: the one rule that evaluation and predict share.

Decisions are taken on the scores, never on rounded probabilities, and probabilities are computed in double precision.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from app.spec.data.columns import Column
from app.spec.training.losses import TaskType, equivalent_loss, task_type
from app.spec.training.objective import Head
from workers.data.columns import PreparedColumn, RaggedTensor
from workers.data.features.scaling import BaseScaling
from workers.training.objective.losses import LOSSES, LossFunction
from workers.training.objective.quantiles import median_position
from workers.training.objective.sequences import END, blank_behind, greedy_decode


@dataclass(frozen=True)
class Predictions:
    """What a batch of outputs predicts.

    Shapes by task type: classes and tags have scores (N, …, C) in float32, or none if the output is classes already,
    and decisions (N, …) in int64; decisions (N, …) and labels (N, C) have both in one shape. Sequences are classes
    (N, T) in int64, -1 behind the end. Numbers (N, …) are `predicted` in double precision and in the units of the data,
    without scores; quantiles (N, …, Q) likewise, of which the one nearest to the median is `predicted`.
    """

    loss: LossFunction
    scores: Tensor | None
    predicted: Tensor
    quantiles: Tensor | None = field(default=None, kw_only=True)

    @cached_property
    def probabilities(self) -> Tensor | None:
        """Probabilities in the shape of the scores, in float64; `None` if the loss gives none.

        In single precision, probabilities near 1 would be equal, and their order lost.
        """
        if self.scores is None or self.loss.to_probability is None:
            return None
        return self.loss.to_probability(self.scores.double())


@dataclass(frozen=True)
class LabelledPredictions(Predictions):
    """Predictions beside their targets, without the ignored ones.

    Classes and tags: scores (M, C), predicted and target (M). Decisions and numbers: all (M). Labels: all (N, C).
    `tag_lists` are predicted and target of tags as (N, L), both of the ignored class where the target is. `rows` are
    the places in the batch that the targets belong to, int64 (M), of labels (N).
    """

    target: Tensor
    rows: Tensor
    tag_lists: tuple[Tensor, Tensor] | None = None
    is_selection: bool = False  # whether some targets were left out

    @cached_property
    def ranking(self) -> Tensor | None:
        """Scores in 0..1 of which only the order counts, in float64: probabilities if there are any.

        A margin loss only determines the differences between the scores of an example: softmax orders examples by
        them, and adding a constant to all scores of an example changes nothing.
        """
        if self.scores is None or self.probabilities is not None:
            return self.probabilities
        return self.scores.double().softmax(-1)

    def select(self, kept: Tensor | slice) -> "LabelledPredictions":
        """Return the predictions where a mask (M) is true, or those of a slice; tag lists stay."""
        scores = self.scores[kept] if self.scores is not None else None
        quantiles = self.quantiles[kept] if self.quantiles is not None else None
        kept_only = replace(self, scores=scores, quantiles=quantiles, is_selection=True)
        return replace(kept_only, predicted=self.predicted[kept], target=self.target[kept], rows=self.rows[kept])


@dataclass(frozen=True)
class OutputDecoder:
    """How an output is decoded, and compared with its target."""

    task_type: TaskType
    loss: LossFunction
    output: str
    target: str  # key among the targets of a batch
    column: str = ""  # name of the target's column
    classes_last: bool = False  # the scores of classes are the last dimension, not dimension 1
    ignore_index: int = -100
    is_log_output: bool = False  # the output is the logarithm of the number
    classes: int = 2
    labels: tuple[str, ...] | None = None
    tokens: tuple[str, ...] | None = None  # of a text, whose classes have no labels before its tokenizer is trained
    scaling: BaseScaling | None = None  # of a target of numbers: predictions are in the units of the data
    quantiles: tuple[float, ...] = ()  # that the last dimension of the output holds
    blank: int = 0  # of sequences: the class of no label
    lengths: str | None = None  # of sequences: the output with the number of steps of each row
    follows: str | None = None  # the input of tokens whose next ones are the target

    def read(self, outputs: Mapping[str, Tensor], output: Tensor) -> Tensor:
        """Return its output (N, …), one of the network's; of sequences, steps behind the end of a row say nothing."""
        if self.lengths is None or self.lengths not in outputs:
            return output
        scores = output if self.classes_last else output.movedim(1, -1)
        scores = blank_behind(scores, outputs[self.lengths], self.blank)
        return scores if self.classes_last else scores.movedim(-1, 1)

    def decode(self, output: Tensor) -> Predictions:
        """Return the predictions of a batch of outputs (N, …)."""
        return DECODERS[self.task_type](self, _without_mps(output))

    def has_ignored_targets(self, target: PreparedColumn) -> bool:
        """Return whether some targets are ignored. Reads every target, and waits for the device."""
        if not isinstance(target, Tensor) or target.is_floating_point():
            return isinstance(target, RaggedTensor)
        return self.task_type in ("classes", "tags") and bool(torch.eq(target, self.ignore_index).any())

    def can_scale(self, output: Tensor) -> bool:
        """Return whether every number of an output (N, …) has a scaling."""
        sizes = (1, output[:1].numel() // max(1, len(self.quantiles)))
        return self.scaling is None or not len(output) or self.scaling.shape.numel() in sizes

    def in_data_units(self, values: Tensor) -> Tensor:
        """Return numbers (N, …), outputs or targets, as they were before the target was scaled, in float64."""
        values = values.double()
        if self.scaling is None:
            return values
        shape = self.scaling.shape
        row_size = values[0].numel() if len(values) else 0
        aligned = values.reshape(len(values), *shape) if row_size == shape.numel() else values
        return self.scaling.inverse_transform(aligned)

    def class_labels(self) -> tuple[str, ...]:
        """Return the words for classes, in order: "no" and "yes" of a decision without any; fewer if some lack."""
        labels = self.labels or self.tokens or ()
        return ("no", "yes") if self.task_type == "decisions" and len(labels) != 2 else labels

    def decode_labelled(self, output: Tensor, target: Tensor, drop_ignored: bool) -> LabelledPredictions:
        """Return the predictions of a batch beside its targets; leaving ignored ones out waits for the device."""
        return LABELLED[self.task_type](self, self.decode(output), _without_mps(target), drop_ignored)


def _rows_of(target: Tensor, rows: int) -> Tensor:
    """Return the row of each of the targets (M), of which every one of `rows` rows has equally many: int64 (M)."""
    numbers = torch.arange(rows, device=target.device)
    return numbers.repeat_interleave(len(target) // rows) if rows else numbers


def _without_mps(values: Tensor) -> Tensor:
    """Return the values on a device that has double precision."""
    return values.cpu() if values.device.type == "mps" else values


def _decode_classes(decoder: OutputDecoder, output: Tensor) -> Predictions:
    if not output.is_floating_point():
        return Predictions(decoder.loss, None, output.long())
    scores = output.float() if decoder.classes_last else output.float().movedim(1, -1)
    return Predictions(decoder.loss, scores, scores.argmax(-1))


def _decode_binary(decoder: OutputDecoder, output: Tensor) -> Predictions:
    scores = output.float()
    return Predictions(decoder.loss, scores, (scores > decoder.loss.threshold).long())


def _decode_numbers(decoder: OutputDecoder, output: Tensor) -> Predictions:
    values = output.double()
    if decoder.quantiles:
        quantiles = torch.stack([decoder.in_data_units(each) for each in values.unbind(-1)], -1)
        return Predictions(decoder.loss, None, quantiles[..., median_position(decoder.quantiles)], quantiles=quantiles)
    return Predictions(decoder.loss, None, decoder.in_data_units(values.exp() if decoder.is_log_output else values))


def _decode_sequences(decoder: OutputDecoder, output: Tensor) -> Predictions:
    """Greedily: the most probable class of each step. Labels are numbered without the blank, -1 is behind the end."""
    codes = greedy_decode(output.float() if decoder.classes_last else output.float().movedim(1, -1), decoder.blank)
    return Predictions(decoder.loss, None, _without_blank(decoder, codes))


def _without_blank(decoder: OutputDecoder, codes: Tensor) -> Tensor:
    """Return labels by their own numbers, -1 behind the end; classes without labels keep their numbers."""
    codes = torch.where((codes < 0) | torch.eq(codes, decoder.blank), END, codes)
    return codes if decoder.labels is None else codes - (codes > decoder.blank).long()


DECODERS: Mapping[TaskType, Callable[[OutputDecoder, Tensor], Predictions]] = {
    "classes": _decode_classes,
    "tags": _decode_classes,
    "decisions": _decode_binary,
    "labels": _decode_binary,
    "numbers": _decode_numbers,
    "sequences": _decode_sequences,
}


def _labelled_classes(
    decoder: OutputDecoder, predictions: Predictions, target: Tensor, drop_ignored: bool
) -> LabelledPredictions:
    scores, predicted = predictions.scores, predictions.predicted
    if scores is not None:
        scores = scores.reshape(-1, scores.shape[-1])
        target = target.argmax(-1 if decoder.classes_last else 1) if target.is_floating_point() else target
    tag_lists = None
    if decoder.task_type == "tags":
        tag_lists = torch.where(torch.eq(target, decoder.ignore_index), target, predicted), target
    rows, target = len(target), target.flatten()
    labelled = LabelledPredictions(decoder.loss, scores, predicted.flatten(), target, _rows_of(target, rows), tag_lists)
    return labelled.select(torch.ne(target, decoder.ignore_index)) if drop_ignored else labelled


def _labelled_labels(
    decoder: OutputDecoder, predictions: Predictions, target: Tensor, drop_ignored: bool
) -> LabelledPredictions:
    target = (target.reshape(predictions.predicted.shape) > decoder.loss.target_threshold).long()
    rows = torch.arange(len(target), device=target.device)
    return LabelledPredictions(decoder.loss, predictions.scores, predictions.predicted, target, rows)


def _labelled_decisions(
    decoder: OutputDecoder, predictions: Predictions, target: Tensor, drop_ignored: bool
) -> LabelledPredictions:
    scores = predictions.scores.flatten() if predictions.scores is not None else None
    rows, target = len(target), target.flatten()
    truth = (target > decoder.loss.target_threshold).long()
    labelled = LabelledPredictions(decoder.loss, scores, predictions.predicted.flatten(), truth, _rows_of(target, rows))
    return labelled.select(~target.isnan()) if drop_ignored else labelled


def _labelled_numbers(
    decoder: OutputDecoder, predictions: Predictions, target: Tensor, drop_ignored: bool
) -> LabelledPredictions:
    rows, target, quantiles = len(target), decoder.in_data_units(target).flatten(), predictions.quantiles
    if quantiles is not None:
        quantiles = quantiles.reshape(-1, quantiles.shape[-1])
    predicted = predictions.predicted.flatten()
    labelled = LabelledPredictions(decoder.loss, None, predicted, target, _rows_of(target, rows), quantiles=quantiles)
    return labelled.select(~target.isnan()) if drop_ignored else labelled


def _labelled_sequences(
    decoder: OutputDecoder, predictions: Predictions, target: Tensor, drop_ignored: bool
) -> LabelledPredictions:
    rows = torch.arange(len(target), device=target.device)
    return LabelledPredictions(decoder.loss, None, predictions.predicted, _without_blank(decoder, target), rows)


LABELLED: Mapping[TaskType, Callable[[OutputDecoder, Predictions, Tensor, bool], LabelledPredictions]] = {
    "classes": _labelled_classes,
    "tags": _labelled_classes,
    "decisions": _labelled_decisions,
    "labels": _labelled_labels,
    "numbers": _labelled_numbers,
    "sequences": _labelled_sequences,
}


def build_decoder(
    head: Head, column: Column, output: str, target: str = "", scaling: BaseScaling | None = None
) -> OutputDecoder:
    """Return how `output` is decoded, by the loss of its head.

    `target` is the key of the targets in a batch, `scaling` what was done to them, which numbers undo.
    """
    task, loss = task_type(head.loss, column), equivalent_loss(head.loss, column)
    return OutputDecoder(
        task_type=task,
        loss=LOSSES[loss.kind],
        output=output,
        target=target,
        column=column.name,
        classes_last=head.classes == "last",
        ignore_index=loss.options.ignore_index,
        is_log_output=loss.options.is_log_output,
        classes=column.classes or 2 if task in ("classes", "tags") else 2,
        labels=column.labels,
        scaling=scaling if task == "numbers" else None,
        quantiles=loss.options.quantiles,
        blank=loss.options.blank,
        lengths=loss.options.input_lengths,
        follows=column.follows,
    )


def decoder_of_variance(mean: OutputDecoder | None) -> OutputDecoder | None:
    """Return how the variance of numbers is decoded: in the square of their unit; `None` where scaling bends them."""
    if mean is None or mean.scaling is None:
        return mean
    scaling = mean.scaling.of_variance()
    return None if scaling is None else replace(mean, scaling=scaling)
