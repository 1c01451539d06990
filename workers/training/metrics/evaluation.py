"""Losses and metrics over the held-out examples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from app.spec.training.objective import within
from workers.data.loading.streaming import Held
from workers.training.devices import Precision
from workers.training.metrics.classification_report import report
from workers.training.metrics.metrics import Meter
from workers.training.metrics.tallies import TALLIES, Tally
from workers.training.objective.objective import Head


@dataclass
class Watch:
    """One head while the examples pass by."""

    head: Head
    counts: bool  # whether its loss is a mean over the targets that count
    gaps: bool
    meter: Meter | None
    tally: Tally | None
    sums: list[Tensor] = field(default_factory=list)
    numbers: list[Tensor] = field(default_factory=list)

    @classmethod
    def of(cls, head: Head, rows: Held) -> "Watch":
        """Begin to watch."""
        reading = head.reading
        gaps = reading is not None and reading.gaps(rows.targets[reading.target])
        meter = Meter(head.metrics, reading) if reading is not None else None
        tally = TALLIES[reading.about](reading) if reading is not None else None
        return cls(head, head.loss.counts(rows.targets), gaps, meter, tally)

    def add(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], rows: int) -> None:
        """Take one batch into account."""
        total, number = self.head.loss.measured(outputs, targets, rows, self.counts)
        self.sums.append(total)
        if number is not None:
            self.numbers.append(number)
        reading = self.head.reading
        if self.meter is not None and self.tally is not None and reading is not None:
            answers = reading.answers(outputs[reading.output], targets[reading.target], self.gaps)
            self.meter.add(answers)
            self.tally.add(answers)

    def loss(self) -> Tensor:
        """Return the loss over all examples: a scalar."""
        total = torch.stack(self.sums).sum()
        return total / torch.stack(self.numbers).sum() if self.numbers else total


class Evaluation(NamedTuple):
    """What came of an evaluation. The report is only made if it is asked for, which takes time."""

    values: dict[str, float]  # by series
    report: Callable[[int], dict[str, Any] | None]  # from the step; `None` where nothing is compared with anything


def evaluate(
    network: nn.Module, heads: Sequence[Head], rows: Held, batch_size: int, precision: Precision
) -> Evaluation:
    """Return `val/loss` and, by head, `val/<metric>`; the network comes back in training mode.

    A loss that is a mean is that of one batch of all examples; NaN if no target counts. The device is waited for once,
    at the end, unless targets have gaps.
    """
    watched = [Watch.of(head, rows) for head in heads]
    forward = precision.applied(network)
    network.eval()
    with torch.no_grad():
        for inputs, targets in rows.slices(batch_size, precision.device):
            outputs = forward(inputs)
            count = len(next(iter(inputs.values())))
            for watch in watched:
                watch.add(outputs, targets, count)
    network.train()
    tallies = [(watch.head, watch.tally) for watch in watched if watch.tally is not None]
    return Evaluation(_values(watched), partial(report, rows=len(rows), tallies=tallies))


def _values(watched: Sequence[Watch]) -> dict[str, float]:
    losses = torch.stack([watch.loss() for watch in watched]).tolist()
    values = {"val/loss": sum(loss * watch.head.weight for loss, watch in zip(losses, watched, strict=True))}
    for loss, watch in zip(losses, watched, strict=True):
        place = f"val/{within(watch.head.name)}"
        if watch.head.name:
            values[f"{place}loss"] = loss
        if watch.meter is not None:
            values |= {f"{place}{name}": value for name, value in watch.meter.values().items()}
    return values
