"""Metrics of numbers that differ from those of torchmetrics for constant targets, or large inputs."""

import torch
from torch import Tensor

import workers.torch_setup  # noqa: F401 - comes before torchmetrics, which imports torchvision

# isort: split
from torchmetrics import Metric, regression
from torchmetrics.utilities.data import dim_zero_cat


class _TargetErrorSums(Metric):
    """Sums of targets and errors, and of their squares; targets less the first one, or large ones would lose digits."""

    count: Tensor
    shift: Tensor
    target_sum: Tensor
    target_squares: Tensor
    error_sum: Tensor
    error_squares: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("count", "shift", "target_sum", "target_squares", "error_sum", "error_squares"):
            self.add_state(name, default=torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Take a batch into account: both (M)."""
        self.shift = torch.where(self.count == 0, target[0], self.shift)
        centred, errors = target - self.shift, predicted - target
        self.count = self.count + len(target)
        self.target_sum, self.target_squares = self.target_sum + centred.sum(), self.target_squares + centred @ centred
        self.error_sum, self.error_squares = self.error_sum + errors.sum(), self.error_squares + errors @ errors

    @property
    def _target_spread(self) -> Tensor:
        return self.target_squares - self.target_sum**2 / self.count


class R2Score(_TargetErrorSums):
    """NaN for constant targets."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        spread = self._target_spread
        return 1 - self.error_squares / torch.where(spread > 0, spread, torch.nan)


class ExplainedVariance(_TargetErrorSums):
    """NaN for constant targets."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        spread = self._target_spread
        errors = self.error_squares - self.error_sum**2 / self.count
        return 1 - errors / torch.where(spread > 0, spread, torch.nan)


class SpearmanCorrCoef(regression.SpearmanCorrCoef):
    """Pearson's correlation of ranks; the ranks of torchmetrics overflow for many equal numbers."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        output, target = _ranks(dim_zero_cat(self.preds)), _ranks(dim_zero_cat(self.target))
        correlations: Tensor = torch.corrcoef(torch.stack([output, target]))
        return correlations[0, 1]


def _ranks(values: Tensor) -> Tensor:
    """Return the rank of each number (M), the mean rank of equal ones: float64 (M)."""
    _, places, counts = values.unique(return_inverse=True, return_counts=True)
    ranks: Tensor = (counts.cumsum(0) - (counts - 1) / 2.0).double()
    return ranks[places]
