"""Quantiles of numbers: their loss."""

from typing import Literal

import torch
from torch import Tensor, nn


class QuantileLoss(nn.Module):
    """The pinball loss of several quantiles, as a mean over all of them (Koenker and Bassett 1978).

    `quantiles` are their probabilities (Q). An output is (…, Q), and a target has its shape.
    """

    def __init__(self, quantiles: Tensor, reduction: Literal["none", "mean", "sum"] = "mean") -> None:
        super().__init__()
        self.quantiles, self.reduction = quantiles, reduction

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return q · (target - output) where the output is too low, and (1 - q) · (output - target) where too high."""
        error = target - output
        loss = torch.maximum(self.quantiles * error, (self.quantiles - 1) * error)
        return loss if self.reduction == "none" else loss.mean() if self.reduction == "mean" else loss.sum()


def quantile_targets(output: Tensor, target: Tensor) -> Tensor:
    """Return targets (N, …) as often as an output (N, …, Q) has quantiles of each; (N, 1) and (N) are the same."""
    return target.reshape(output.shape[:-1]).unsqueeze(-1).expand_as(output)


def median_position(quantiles: tuple[float, ...]) -> int:
    """Return the position of the quantile that is nearest to the median; of two, the lower one."""
    return min(range(len(quantiles)), key=lambda place: abs(quantiles[place] - 0.5))
