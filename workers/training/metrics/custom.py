"""Metrics of torchmetrics where its answer is not the one wanted: of classes that are not there, of too few rows."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

import workers.torch_setup  # noqa: F401 - comes before torchmetrics, which imports torchvision

# isort: split
from torchmetrics import Metric, classification, regression
from torchmetrics.utilities.data import dim_zero_cat


def _nan(like: Tensor) -> Tensor:
    return torch.full((), torch.nan, dtype=torch.float64, device=like.device)


class BalancedAccuracy(classification.MulticlassStatScores):
    """The mean recall of the classes that there are; a class that is only predicted has none."""

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__(num_classes, average="none", **options)

    def compute(self) -> Tensor:
        """Return one number."""
        counts = super().compute()
        right, support = counts[:, 0], counts[:, 4]
        return (right / support)[support > 0].double().mean()


def _masked_mean(values: Tensor, there: Tensor) -> Tensor:
    """Return the mean over what can be told; no number where nothing can."""
    return values[there].double().mean()


class MulticlassAUROC(classification.MulticlassAUROC):
    """The mean over the classes of which there are some and others; torchmetrics counts the rest as zero."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return one number."""
        counts = torch.bincount(dim_zero_cat(self.target), minlength=self.num_classes)
        return _masked_mean(super().compute(), (counts > 0) & (counts < counts.sum()))


class MulticlassAveragePrecision(classification.MulticlassAveragePrecision):
    """The mean over the classes of which there are some."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return one number."""
        counts = torch.bincount(dim_zero_cat(self.target), minlength=self.num_classes)
        return _masked_mean(super().compute(), counts > 0)


class MultilabelAUROC(classification.MultilabelAUROC):
    """The mean over the labels that some examples have and others have not."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return one number."""
        target = dim_zero_cat(self.target)
        return _masked_mean(super().compute(), target.any(0) & ~target.all(0))


class MultilabelAveragePrecision(classification.MultilabelAveragePrecision):
    """The mean over the labels that some examples have."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return one number."""
        return _masked_mean(super().compute(), dim_zero_cat(self.target).any(0))


class BinaryAUROC(classification.BinaryAUROC):
    """No number where all examples are alike."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return one number."""
        target = dim_zero_cat(self.target)
        return super().compute() if target.any() and not target.all() else _nan(target)


class BinaryAveragePrecision(classification.BinaryAveragePrecision):
    """No number where there is no yes."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return one number."""
        target = dim_zero_cat(self.target)
        return super().compute() if target.any() else _nan(target)


class R2Score(regression.R2Score):
    """No number where the targets are all alike."""

    def compute(self) -> Tensor:
        """Return one number."""
        spread = self.sum_squared_error - self.sum_error**2 / self.total
        found: Tensor = 1 - self.residual / spread if spread > 0 else _nan(spread)
        return found


class SpearmanCorrCoef(regression.SpearmanCorrCoef):
    """Pearson's correlation of ranks; torchmetrics' ranks overflow where many numbers are alike."""

    def compute(self) -> Tensor:
        """Return one number."""
        output, truth = _ranks(dim_zero_cat(self.preds)), _ranks(dim_zero_cat(self.target))
        table: Tensor = torch.corrcoef(torch.stack([output, truth]))
        return table[0, 1]


def _ranks(values: Tensor) -> Tensor:
    """Return the rank of each number, of equal ones their mean."""
    _, places, counts = values.unique(return_inverse=True, return_counts=True)
    ranks: Tensor = (counts.cumsum(0) - (counts - 1) / 2.0).double()
    return ranks[places]


class Perplexity(Metric):
    """Of rows of scores; torchmetrics' takes memory for several copies of them, which may be large."""

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, scores: Tensor, truth: Tensor) -> None:
        """Take a batch into account: (M, C) and (M)."""
        self.total = self.total + functional.cross_entropy(scores, truth, reduction="none").double().sum()
        self.count = self.count + len(truth)

    def compute(self) -> Tensor:
        """Return one number."""
        found: Tensor = (self.total / self.count).exp()
        return found
