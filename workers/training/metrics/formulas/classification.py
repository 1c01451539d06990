"""Metrics of classes that differ from those of torchmetrics for absent classes.

What the targets leave open is NaN, whatever is predicted: a constant would look like a training that stands still.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

import workers.torch_setup  # noqa: F401 - comes before torchmetrics, which imports torchvision

# isort: split
from torchmetrics import Metric, classification
from torchmetrics.utilities.data import dim_zero_cat

MIN_LOG = -100.0


def _nan(like: Tensor) -> Tensor:
    return torch.full((), torch.nan, dtype=torch.float64, device=like.device)


class BalancedAccuracy(classification.MulticlassStatScores):
    """The mean recall over the true classes; a class that is only predicted does not count."""

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__(num_classes, average="none", **options)

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        counts = super().compute()
        right, support = counts[:, 0], counts[:, 4]
        return (right / support)[support > 0].double().mean()


class MulticlassIoU(classification.MulticlassStatScores):
    """Intersection over union (Jaccard 1912), the mean over the classes that are true or predicted."""

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__(num_classes, average="none", **options)

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        right, excess, _, missed, _ = super().compute().double().T
        union = right + excess + missed
        return _masked_mean(right / union, union > 0)


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the values (C) where the mask (C) is true: a float64 scalar, NaN if it is nowhere."""
    return values[mask].double().mean()


class MultilabelScore(classification.MultilabelStatScores):
    """Precision, recall, F-beta or intersection over union of several labels.

    They are averaged over the labels that are true or predicted of some example. torchmetrics counts a label that
    nobody has as zero, as scikit-learn does unless its `labels` leave it out. NaN if no label is true of any example.
    """

    def __init__(
        self,
        num_labels: int,
        score: Literal["precision", "recall", "f1", "iou"],
        average: Literal["macro", "micro", "weighted"],
        beta: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(num_labels, average="none", **options)
        self._score, self._over, self._beta = score, average, beta

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        right, excess, _, missed, support = super().compute().double().T
        if self._over == "micro":
            right, excess, missed = (counts.sum(0, keepdim=True) for counts in (right, excess, missed))
        weight = self._beta**2
        mistakes = (excess + weight * missed) / (1 + weight)
        union = right + excess + missed
        divisors = {"precision": right + excess, "recall": right + missed, "f1": right + mistakes, "iou": union}
        scores, counted = (right / divisors[self._score]).nan_to_num(0.0), union > 0
        if not support.any():
            return _nan(support)
        if self._over == "weighted":
            weighted: Tensor = (scores @ support) / support.sum()
            return weighted
        return _masked_mean(scores, counted)


class MatthewsCorrCoef(classification.MulticlassMatthewsCorrCoef):
    """NaN where all targets are of one class, zero where all predictions are; torchmetrics takes a limit of both."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        counts = self.confmat.double()
        true, predicted, total = counts.sum(1), counts.sum(0), counts.sum()
        if (true > 0).sum() < 2:
            return _nan(counts)
        covariance = counts.trace() * total - true @ predicted
        spread = (total**2 - predicted @ predicted).sqrt() * (total**2 - true @ true).sqrt()
        return torch.where(spread > 0, covariance / spread, 0.0)


class CohenKappa(classification.MulticlassCohenKappa):
    """NaN where all targets are of one class."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        return super().compute() if (self.confmat.sum(1) > 0).sum() > 1 else _nan(self.confmat)


def _positives(metric: classification.BinaryStatScores) -> Tensor:
    """Return how many targets are positive: a scalar."""
    return dim_zero_cat(metric.tp) + dim_zero_cat(metric.fn)


class BinaryPrecision(classification.BinaryPrecision):
    """NaN without positives."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        return super().compute() if (positives := _positives(self)) > 0 else _nan(positives)


class BinaryRecall(classification.BinaryRecall):
    """NaN without positives."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        return super().compute() if (positives := _positives(self)) > 0 else _nan(positives)


class BinaryF1Score(classification.BinaryF1Score):
    """NaN without positives."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        return super().compute() if (positives := _positives(self)) > 0 else _nan(positives)


class BinaryFBetaScore(classification.BinaryFBetaScore):
    """NaN without positives."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        return super().compute() if (positives := _positives(self)) > 0 else _nan(positives)


class BinarySpecificity(classification.BinarySpecificity):
    """NaN without negatives."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        negatives = dim_zero_cat(self.tn) + dim_zero_cat(self.fp)
        return super().compute() if negatives > 0 else _nan(negatives)


class BinaryIoU(classification.BinaryStatScores):
    """Intersection over union of the positives (Jaccard 1912). NaN without positives."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        right, excess, _, missed, positives = super().compute().double()
        return right / (right + excess + missed) if positives > 0 else _nan(positives)


class MulticlassAUROC(classification.MulticlassAUROC):
    """The mean over the classes with positives and negatives; torchmetrics counts other classes as zero."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return the metric: a scalar."""
        counts = torch.bincount(dim_zero_cat(self.target), minlength=self.num_classes)
        return _masked_mean(super().compute(), (counts > 0) & (counts < counts.sum()))


class MulticlassAveragePrecision(classification.MulticlassAveragePrecision):
    """The mean over the classes with positives."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return the metric: a scalar."""
        counts = torch.bincount(dim_zero_cat(self.target), minlength=self.num_classes)
        return _masked_mean(super().compute(), counts > 0)


class MultilabelAUROC(classification.MultilabelAUROC):
    """The mean over the labels with positives and negatives."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return the metric: a scalar."""
        target = dim_zero_cat(self.target)
        return _masked_mean(super().compute(), target.any(0) & ~target.all(0))


class MultilabelAveragePrecision(classification.MultilabelAveragePrecision):
    """The mean over the labels with positives."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return the metric: a scalar."""
        return _masked_mean(super().compute(), dim_zero_cat(self.target).any(0))


class BinaryAUROC(classification.BinaryAUROC):
    """NaN without positives or without negatives."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return the metric: a scalar."""
        target = dim_zero_cat(self.target)
        return super().compute() if target.any() and not target.all() else _nan(target)


class BinaryAveragePrecision(classification.BinaryAveragePrecision):
    """NaN without positives."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """Return the metric: a scalar."""
        target = dim_zero_cat(self.target)
        return super().compute() if target.any() else _nan(target)


class LogLoss(Metric):
    """The mean negative log-likelihood of the true classes; torchmetrics only has its exponential."""

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, scores: Tensor, target: Tensor) -> None:
        """Take a batch into account: scores (M, C) and classes (M)."""
        self.total = self.total + functional.cross_entropy(scores, target, reduction="none").double().sum()
        self.count = self.count + len(target)

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        return self.total / self.count


class Perplexity(LogLoss):
    """The exponential of the log loss; torchmetrics' takes memory for several copies of the scores."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        return super().compute().exp()


class BitsPerToken(LogLoss):
    """The log loss in bits."""

    def compute(self) -> Tensor:
        """Return the metric: a scalar."""
        return super().compute() / math.log(2)


class BinaryLogLoss(LogLoss):
    """The mean negative log-likelihood of yes and no."""

    def update(self, probabilities: Tensor, target: Tensor) -> None:
        """Take a batch into account: probabilities of yes (M), in float64, and 0 or 1 (M)."""
        likelihood = torch.where(target == 1, probabilities, 1 - probabilities)
        self.total = self.total - likelihood.log().clamp(min=MIN_LOG).sum()  # as torch's BCELoss
        self.count = self.count + len(target)
