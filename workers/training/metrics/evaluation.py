"""Losses and metrics over the held-out examples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from app.spec.training.objective import series_prefix
from workers.data.loading.streaming import EvaluationExamples
from workers.training.devices import Precision
from workers.training.metrics.classification_report import evaluation_report
from workers.training.metrics.metrics import MetricAccumulator
from workers.training.metrics.tallies import ACCUMULATORS, ReportAccumulator
from workers.training.objective.objective import ObjectiveHead


@dataclass
class HeadEvaluator:
    """One head while the examples pass by."""

    head: ObjectiveHead
    is_mean_over_targets: bool  # whether its loss is a mean over the targets that count
    has_ignored_targets: bool
    metric_accumulator: MetricAccumulator | None
    report_accumulator: ReportAccumulator | None
    sums: list[Tensor] = field(default_factory=list)
    divisors: list[Tensor] = field(default_factory=list)

    @classmethod
    def of(cls, head: ObjectiveHead, rows: EvaluationExamples) -> "HeadEvaluator":
        """Begin to watch."""
        reading = head.decoder
        gaps = reading is not None and reading.has_ignored_targets(rows.targets[reading.target])
        meter = MetricAccumulator(head.metrics, reading) if reading is not None else None
        tally = ACCUMULATORS[reading.about](reading) if reading is not None else None
        return cls(head, head.loss.is_mean_over_targets(rows.targets), gaps, meter, tally)

    def add(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], rows: int) -> None:
        """Take one batch into account."""
        total, number = self.head.loss.sum_and_divisor(outputs, targets, rows, self.is_mean_over_targets)
        self.sums.append(total)
        if number is not None:
            self.divisors.append(number)
        reading = self.head.decoder
        if self.metric_accumulator is not None and self.report_accumulator is not None and reading is not None:
            answers = reading.decode(outputs[reading.output], targets[reading.target], self.has_ignored_targets)
            self.metric_accumulator.add(answers)
            self.report_accumulator.add(answers)

    def loss(self) -> Tensor:
        """Return the loss over all examples: a scalar."""
        total = torch.stack(self.sums).sum()
        return total / torch.stack(self.divisors).sum() if self.divisors else total


class EvaluationResult(NamedTuple):
    """What came of an evaluation. The report is only made if it is asked for, which takes time."""

    values: dict[str, float]  # by series
    report: Callable[[int], dict[str, Any] | None]  # from the step; `None` where nothing is compared with anything


def evaluate(
    network: nn.Module, heads: Sequence[ObjectiveHead], rows: EvaluationExamples, batch_size: int, precision: Precision
) -> EvaluationResult:
    """Return `val/loss` and, by head, `val/<metric>`; the network comes back in training mode.

    A loss that is a mean is that of one batch of all examples; NaN if no target counts. The device is waited for once,
    at the end, unless targets have gaps.
    """
    watched = [HeadEvaluator.of(head, rows) for head in heads]
    forward = precision.autocast(network)
    network.eval()
    with torch.no_grad():
        for inputs, targets in rows.iter_batches(batch_size, precision.device):
            outputs = forward(inputs)
            count = len(next(iter(inputs.values())))
            for watch in watched:
                watch.add(outputs, targets, count)
    network.train()
    tallies = [(watch.head, watch.report_accumulator) for watch in watched if watch.report_accumulator is not None]
    return EvaluationResult(_evaluation_values(watched), partial(evaluation_report, rows=len(rows), tallies=tallies))


def _evaluation_values(watched: Sequence[HeadEvaluator]) -> dict[str, float]:
    losses = torch.stack([watch.loss() for watch in watched]).tolist()
    values = {"val/loss": sum(loss * watch.head.weight for loss, watch in zip(losses, watched, strict=True))}
    for loss, watch in zip(losses, watched, strict=True):
        place = f"val/{series_prefix(watch.head.name)}"
        if watch.head.name:
            values[f"{place}loss"] = loss
        if watch.metric_accumulator is not None:
            values |= {f"{place}{name}": value for name, value in watch.metric_accumulator.values().items()}
    return values
