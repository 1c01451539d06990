"""Losses and metrics over the held-out examples."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from app.spec.objective import within
from workers.data.stream import Held
from workers.training.devices import Precision
from workers.training.metrics import Meter
from workers.training.objective import Head


@dataclass
class Watch:
    """One head while the examples pass by."""

    head: Head
    counts: bool  # whether its loss is a mean over the targets that count
    gaps: bool
    meter: Meter | None
    sums: list[Tensor] = field(default_factory=list)
    numbers: list[Tensor] = field(default_factory=list)

    @classmethod
    def of(cls, head: Head, rows: Held) -> "Watch":
        """Begin to watch."""
        reading = head.reading
        gaps = reading is not None and reading.gaps(rows.targets[reading.target])
        meter = Meter(head.metrics, reading) if reading is not None else None
        return cls(head, head.loss.counts(rows.targets), gaps, meter)

    def add(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], rows: int) -> None:
        """Take one batch into account."""
        total, number = self.head.loss.measured(outputs, targets, rows, self.counts)
        self.sums.append(total)
        if number is not None:
            self.numbers.append(number)
        reading = self.head.reading
        if self.meter is not None and reading is not None:
            self.meter.add(reading.answers(outputs[reading.output], targets[reading.target], self.gaps))

    def loss(self) -> Tensor:
        """Return the loss over all examples: a scalar."""
        total = torch.stack(self.sums).sum()
        return total / torch.stack(self.numbers).sum() if self.numbers else total


def evaluate(
    network: nn.Module, heads: Sequence[Head], rows: Held, batch_size: int, precision: Precision
) -> dict[str, float]:
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
    losses = torch.stack([watch.loss() for watch in watched]).tolist()
    values = {"val/loss": sum(loss * watch.head.weight for loss, watch in zip(losses, watched, strict=True))}
    for loss, watch in zip(losses, watched, strict=True):
        place = f"val/{within(watch.head.name)}"
        if watch.head.name:
            values[f"{place}loss"] = loss
        if watch.meter is not None:
            values |= {f"{place}{name}": value for name, value in watch.meter.values().items()}
    return values
