"""Losses and metrics over the held-out examples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from app.spec.training.metrics import GENERATED_METRICS
from app.spec.training.objective import series_prefix
from workers.data.loading.examples import ExampleSet
from workers.data.loading.streaming import EvaluationExamples
from workers.training.devices import Precision
from workers.training.metrics.generated_texts import GeneratedTextEvaluator
from workers.training.metrics.metrics import MetricAccumulator
from workers.training.metrics.reports.classification_report import (
    ACCUMULATORS,
    ReportAccumulator,
    evaluation_report,
    nan_to_none,
)
from workers.training.metrics.worst_examples import WorstExamples, describe_worst
from workers.training.objective.decode import OutputDecoder
from workers.training.objective.objective import ObjectiveHead

MIN_EVALUATION_BATCH = 256  # rows that are evaluated at once, at least


@dataclass
class PredictionEvaluator:
    """Metrics, report and worst examples of one output, batch by batch."""

    decoder: OutputDecoder
    drop_ignored: bool
    metrics: MetricAccumulator
    report: ReportAccumulator
    worst: WorstExamples

    @classmethod
    def of(cls, decoder: OutputDecoder, metrics: Sequence[str], rows: EvaluationExamples) -> "PredictionEvaluator":
        """Return an evaluator without any batch."""
        drop_ignored = decoder.has_ignored_targets(rows.targets[decoder.target])
        report = ACCUMULATORS[decoder.task_type](decoder)
        return cls(decoder, drop_ignored, MetricAccumulator(metrics, decoder), report, WorstExamples(decoder))

    def add(self, outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> None:
        """Take one batch into account."""
        output, target = self.decoder.read(outputs, outputs[self.decoder.output]), targets[self.decoder.target]
        predictions = self.decoder.decode_labelled(output, target, self.drop_ignored)
        self.metrics.add(predictions)
        self.report.add(predictions)
        self.worst.add(predictions, len(target))


@dataclass
class HeadEvaluator:
    """Loss, metrics and report of one head, batch by batch."""

    head: ObjectiveHead
    is_mean_over_targets: bool  # whether its loss is a mean over the targets that are not ignored
    predictions: PredictionEvaluator | None
    texts: GeneratedTextEvaluator | None = None
    sums: list[Tensor] = field(default_factory=list)
    divisors: list[Tensor] = field(default_factory=list)

    @classmethod
    def of(cls, head: ObjectiveHead, rows: EvaluationExamples) -> "HeadEvaluator":
        """Return an evaluator without any batch."""
        is_mean = head.loss.is_mean_over_targets(rows.targets)
        if head.decoder is None:
            return cls(head, is_mean, None)
        follows = head.decoder.follows
        generated = [name for name in head.metrics if follows is not None and name in GENERATED_METRICS]
        texts = GeneratedTextEvaluator(head.decoder, follows, generated) if follows is not None and generated else None
        others = [name for name in head.metrics if name not in generated]
        return cls(head, is_mean, PredictionEvaluator.of(head.decoder, others, rows), texts)

    def add(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], rows: int) -> None:
        """Take one batch into account."""
        total, divisor = self.head.loss.sum_and_divisor(outputs, targets, rows, self.is_mean_over_targets)
        self.sums.append(total)
        if divisor is not None:
            self.divisors.append(divisor)
        if self.predictions is not None:
            self.predictions.add(outputs, targets)

    def loss(self) -> Tensor:
        """Return the loss over all examples: a scalar."""
        total = torch.stack(self.sums).sum()
        return total / torch.stack(self.divisors).sum() if self.divisors else total


class EvaluationInterrupted(Exception):
    """An evaluation was given up, because the attempt has a command to obey."""


class EvaluationResult(NamedTuple):
    """The values of an evaluation, and its report, which is written only when it is called for."""

    values: dict[str, float]  # by series
    report: Callable[[int], dict[str, Any] | None]  # from the step; `None` if no output is compared with a target


def no_report(step: int) -> None:
    """Return `None`: nothing is held out."""


def evaluate(
    network: nn.Module,
    heads: Sequence[ObjectiveHead],
    rows: EvaluationExamples,
    batch_size: int,
    precision: Precision,
    role: Literal["train", "val", "test"] = "val",
    is_interrupted: Callable[[], bool] = lambda: False,
) -> EvaluationResult:
    """Return `<role>/loss` and, by head, `<role>/<metric>`; the network comes back in training mode.

    A mean loss is that of one batch of all examples; NaN if every target is ignored. The device is waited for once, at
    the end, unless some targets are ignored. Raises `EvaluationInterrupted` if `is_interrupted()` before a batch.
    """
    evaluators = [HeadEvaluator.of(head, rows) for head in heads]
    forward = precision.autocast(network)
    network.eval()
    with torch.no_grad():
        for inputs, targets in rows.iter_batches(batch_size, precision.device):
            if is_interrupted():
                network.train()
                raise EvaluationInterrupted
            outputs = forward(inputs)
            count = len(next(iter(inputs.values())))
            for evaluator in evaluators:
                evaluator.add(outputs, targets, count)
                if evaluator.texts is not None:
                    evaluator.texts.add(network, precision, inputs, targets)
    network.train()
    return EvaluationResult(_evaluation_values(evaluators, role), partial(_report, evaluators=evaluators, rows=rows))


def training_metrics(
    network: nn.Module,
    heads: Sequence[ObjectiveHead],
    rows: EvaluationExamples,
    batch_size: int,
    precision: Precision,
    is_interrupted: Callable[[], bool],
) -> dict[str, float]:
    """Return `train/<metric>` by head, as `evaluate` does; losses of training steps have the names of theirs."""
    values = evaluate(network, heads, rows, batch_size, precision, "train", is_interrupted).values
    return {name: value for name, value in values.items() if not name.endswith("/loss")}


def _report(step: int, evaluators: Sequence[HeadEvaluator], rows: EvaluationExamples) -> dict[str, Any] | None:
    """Return the report, each head with its worst examples."""
    compared = [(each.head, each.predictions) for each in evaluators if each.predictions is not None]
    document = evaluation_report(step, len(rows), [(head, each.report) for head, each in compared])
    examples = rows if isinstance(rows, ExampleSet) else rows.rows
    for head, (_, each) in zip(document["heads"] if document else (), compared, strict=True):
        head["worst"] = nan_to_none(describe_worst(each.worst.to_list(), examples))
    return document


def _evaluation_values(evaluators: Sequence[HeadEvaluator], role: str) -> dict[str, float]:
    losses = torch.stack([evaluator.loss() for evaluator in evaluators]).tolist()
    weighted = [loss * each.head.weight for loss, each in zip(losses, evaluators, strict=True) if each.head.weight]
    values = {f"{role}/loss": sum(weighted)}
    for loss, evaluator in zip(losses, evaluators, strict=True):
        prefix = f"{role}/{series_prefix(evaluator.head.name)}"
        if evaluator.head.name:
            values[f"{prefix}loss"] = loss
        if evaluator.predictions is not None:
            metrics = evaluator.predictions.metrics.values()
            metrics |= evaluator.texts.values() if evaluator.texts is not None else {}
            values |= {f"{prefix}{name}": metrics[name] for name in evaluator.head.metrics}
    return values
