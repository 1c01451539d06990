"""Loss and metrics over the held-out examples."""

from collections.abc import Sequence

import torch
from torch import nn

from workers.data.tensors import Rows
from workers.training.devices import Precision
from workers.training.losses import Objective
from workers.training.metrics import Meter


def evaluate(
    network: nn.Module, objective: Objective, rows: Rows, metrics: Sequence[str], batch_size: int, precision: Precision
) -> dict[str, float]:
    """Return `val/loss` and `val/<metric>`; the network comes back in training mode.

    A loss that is a mean is that of one batch of all examples; NaN if no target counts. The device is waited for once,
    at the end.
    """
    meter = Meter(metrics, objective.kind, getattr(objective.loss, "ignore_index", None))
    learned = next(iter(rows.targets))
    counts = objective.counts(rows.targets[learned])
    sums, numbers = [], []
    forward = precision.applied(network)
    network.eval()
    with torch.no_grad():
        for inputs, targets in rows.slices(batch_size, precision.device):
            target = targets[learned]
            outputs = forward(inputs)
            if counts:
                sums.append(objective.numerator(outputs, target))
                numbers.append(objective.denominator(target))
            else:
                loss = objective(outputs, target)
                sums.append(loss if objective.summed else loss * len(target))
            meter.add(objective.chosen(outputs).float(), target)
    network.train()
    total = torch.stack(sums).sum()
    if not objective.summed:
        total = total / (torch.stack(numbers).sum() if counts else len(rows))
    return {"val/loss": float(total)} | {f"val/{name}": value for name, value in meter.values().items()}
