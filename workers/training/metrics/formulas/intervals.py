"""Metrics of predicted quantiles, as scikit-learn defines them: float64, over targets (M) and quantiles (M, Q)."""

from abc import abstractmethod

import torch
from torch import Tensor

import workers.torch_setup  # noqa: F401 - comes before torchmetrics, which imports torchvision

# isort: split
from torchmetrics import Metric


class _Mean(Metric):
    """A mean over targets; the subclass says of what."""

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, quantiles: Tensor, target: Tensor) -> None:
        """Take one batch into account."""
        self.total += self.values(quantiles, target).sum()
        self.count += len(target)

    def compute(self) -> Tensor:
        """Return the mean: a scalar."""
        return self.total / self.count

    @abstractmethod
    def values(self, quantiles: Tensor, target: Tensor) -> Tensor:
        """Return what the mean is of: (M)."""


class Coverage(_Mean):
    """The share of targets from the first to the last quantile, which both count."""

    def values(self, quantiles: Tensor, target: Tensor) -> Tensor:
        """Return 1 for a target in its interval, and 0 for another."""
        return ((quantiles[:, 0] <= target) & (target <= quantiles[:, -1])).double()


class IntervalWidth(_Mean):
    """The mean distance from the first to the last quantile."""

    def values(self, quantiles: Tensor, target: Tensor) -> Tensor:
        """Return the distances."""
        return quantiles[:, -1] - quantiles[:, 0]


class PinballLoss(_Mean):
    """The mean pinball loss, over targets and quantiles of these probabilities."""

    def __init__(self, probabilities: tuple[float, ...]) -> None:
        super().__init__()
        self._probabilities = probabilities

    def values(self, quantiles: Tensor, target: Tensor) -> Tensor:
        """Return the losses."""
        probabilities = quantiles.new_tensor(self._probabilities)
        error = target.unsqueeze(1) - quantiles
        return torch.maximum(probabilities * error, (probabilities - 1) * error).mean(1)
