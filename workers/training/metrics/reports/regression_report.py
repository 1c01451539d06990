"""The report of an output of numbers: means, quantiles and a histogram of the errors, and points to draw."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from workers.training.metrics.samples import StridedSample
from workers.training.objective.decode import LabelledPredictions, OutputDecoder

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
HISTOGRAM_BINS = 30  # between the quantiles of 1 and of 99 in a hundred
MAX_POINTS = 500


@dataclass
class RegressionAccumulator:
    """Errors: predicted less target."""

    decoder: OutputDecoder
    _sums: Tensor | None = None  # error, |error|, error², in double precision
    _sample: StridedSample = field(default_factory=StridedSample)  # errors, targets
    _error_extremes: list[Tensor] = field(default_factory=list)  # least and largest error of each batch
    _count: int = 0

    def add(self, predictions: LabelledPredictions) -> None:
        """Count one batch."""
        errors = predictions.predicted - predictions.target
        if not len(errors):
            return
        sums = torch.stack([errors.sum(), errors.abs().sum(), (errors**2).sum()])
        self._sums = sums if self._sums is None else self._sums + sums
        self._error_extremes.append(torch.stack([errors.min(), errors.max()]))
        chosen = self._sample.chosen(len(errors))
        self._sample.add(len(errors), (errors[chosen], predictions.target[chosen]))
        self._count += len(errors)

    def to_dict(self) -> dict[str, Any]:
        """Return means, quantiles and a histogram of the error, and points (target, predicted)."""
        if self._sums is None:
            return {"count": 0, "error": None, "points": None, "notes": ["there is nothing to compare with"]}
        mean, absolute, squared = (self._sums / self._count).tolist()
        extremes = torch.stack(self._error_extremes)
        sampled, targets = self._sample.columns()
        errors = torch.quantile(sampled, self._sums.new_tensor(QUANTILES)).tolist()
        errors[0], errors[-1] = float(extremes[:, 0].min()), float(extremes[:, 1].max())
        error = {
            "mean": mean,
            "mean_absolute": absolute,
            "root_mean_squared": squared**0.5,
            "quantiles": [{"share": share, "error": error} for share, error in zip(QUANTILES, errors, strict=True)],
            "histogram": _histogram(sampled.cpu(), errors[1], errors[-2]),
        }
        stride = self._sample.stride
        notes = [f"quantiles are those of every {stride}th number; so are the histogram and the points"]
        return {
            "count": self._count,
            "error": error,
            "points": _points(sampled, targets),
            "notes": notes if stride > 1 else [],
        }


def _histogram(errors: Tensor, low: float, high: float) -> dict[str, Any] | None:
    """Return the numbers of errors in bins of equal width, and below and above; `None` if there is no width.

    A bin is [low, high), the last one also holds its upper edge.
    """
    edges = torch.linspace(low, high, HISTOGRAM_BINS + 1, dtype=torch.float64)
    if not (math.isfinite(low) and math.isfinite(high)) or not bool((edges.diff() > 0).all()):
        return None
    counts = torch.histogram(errors, edges).hist.long().tolist()
    below, above = int((errors < low).sum()), int((errors > high).sum())
    return {"edges": edges.tolist(), "counts": counts, "below": below, "above": above}


def _points(errors: Tensor, targets: Tensor) -> dict[str, list[float]]:
    """Return at most 500 pairs of target and predicted, evenly from all that are kept."""
    step = math.ceil(len(errors) / MAX_POINTS)
    errors, targets = errors[::step], targets[::step]
    return {"target": targets.tolist(), "predicted": (targets + errors).tolist()}
