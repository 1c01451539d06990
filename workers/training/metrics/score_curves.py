"""What probabilities are worth: calibration, and the curves of ROC and of precision and recall."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.spec.training.metrics import MAX_CLASSES
from workers.training.metrics.samples import StridedSample
from workers.training.objective.decode import LabelledPredictions

CALIBRATION_BINS = 15  # of equal width, as those of the metric `calibration_error`
MAX_CURVES = 50  # classes or labels that have curves: those that are true most often
MAX_CURVE_POINTS = 100

Curve = dict[str, Any]
Numbers = NDArray[np.float64]


@dataclass
class ScoreAccumulator:
    """Scores beside targets, of every k-th row: (M, C) of classes and labels, (M) of decisions."""

    _sample: StridedSample = field(default_factory=StridedSample)
    _is_probability: bool = False

    def add(self, predictions: LabelledPredictions) -> None:
        """Take one batch into account."""
        rows = len(predictions.target)
        scores = predictions.scores
        if scores is None or (scores.ndim > 1 and scores.shape[-1] > MAX_CLASSES):
            return
        chosen = self._sample.chosen(rows)
        kept = predictions if chosen.step == 1 else predictions.select(chosen)
        if kept.ranking is None:
            return
        self._is_probability = kept.probabilities is not None
        self._sample.add(rows, (kept.ranking, kept.target, kept.predicted))

    def to_dict(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return `calibration` and `curves` as JSON, each `None` if there is nothing to make it of; and notes."""
        if not len(self._sample):
            return {"calibration": None, "curves": None}
        scores, target, predicted = (column.cpu() for column in self._sample.columns())
        curves = _curves(scores, target, labels)
        return {"calibration": self._calibration(scores, target, predicted), "curves": curves}

    def notes(self, classes: int) -> list[str]:
        """Return what is left out."""
        notes = []
        if self._sample.stride > 1:
            notes.append(f"calibration and curves are of every {self._sample.stride}th row")
        if len(self._sample) and classes > MAX_CURVES:
            notes.append(f"curves are of the {MAX_CURVES} that are true most often")
        return notes

    def _calibration(self, scores: Tensor, target: Tensor, predicted: Tensor) -> dict[str, Any] | None:
        """Of one of several classes: the probability of the chosen class; else the probability of the yes."""
        if not self._is_probability:
            return None
        if scores.ndim > target.ndim:
            confidence, hit = scores.gather(1, predicted.unsqueeze(1)).flatten(), predicted == target
        else:
            confidence, hit = scores.flatten(), target.flatten() > 0
        return calibration(confidence.numpy(), hit.numpy())


def calibration(confidence: Numbers, hit: NDArray[np.bool_]) -> dict[str, Any] | None:
    """Return bins of equal width of the confidences (n), from 0 to 1, and the expected calibration error (n hits).

    Each bin is (low, high], the first one also holds 0. The error is the mean, weighed by count, of the absolute
    difference between the mean confidence of a bin and its share of hits (Guo et al. 2017).
    """
    finite = np.isfinite(confidence)
    confidence, hit = confidence[finite], hit[finite].astype(np.float64)
    if not len(confidence):
        return None
    places = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)
    counts, confidences, hits = (np.bincount(places, weights, CALIBRATION_BINS) for weights in (None, confidence, hit))
    divisors = np.maximum(counts, 1)
    means, shares = confidences / divisors, hits / divisors
    error = float((counts * np.abs(means - shares)).sum() / counts.sum())
    bins = [
        {"count": int(count), "confidence": float(mean) if count else None, "share": float(share) if count else None}
        for count, mean, share in zip(counts, means, shares, strict=True)
    ]
    return {"error": error, "bins": bins}


def _curves(scores: Tensor, target: Tensor, labels: Sequence[str]) -> list[Curve]:
    """Return a curve for each class against the others, for each label, or for the yes of a decision."""
    if scores.ndim == 1:
        truth, scores, labels = target.unsqueeze(1) > 0, scores.unsqueeze(1), labels[-1:]
    elif target.ndim == 1:
        truth = torch.eq(target.unsqueeze(1), torch.arange(scores.shape[1]))
    else:
        truth = target > 0
    supports = truth.sum(0)
    shown = supports.argsort(descending=True, stable=True)[:MAX_CURVES].sort().values.tolist()
    return [
        {"label": labels[code], **threshold_curve(scores[:, code].numpy(), truth[:, code].numpy())} for code in shown
    ]


def threshold_curve(scores: Numbers, truth: NDArray[np.bool_]) -> Curve:
    """Return how many of the positives and negatives have a score of at least each threshold, from high to low.

    At most 100 thresholds are listed, evenly along the ROC curve; `auroc` (trapezoids) and `average_precision` (the sum
    of precisions weighed by the steps of recall) are of all of them, and `None` without positives or negatives.
    """
    finite = np.isfinite(scores)
    scores, truth = scores[finite], truth[finite]
    order = np.argsort(-scores, kind="stable")
    scores, truth = scores[order], truth[order]
    last = np.flatnonzero(np.diff(scores, append=-np.inf))  # the last row of each threshold
    true, false = np.cumsum(truth)[last], np.cumsum(~truth)[last]
    positives, negatives = int(truth.sum()), int((~truth).sum())
    curve: Curve = {"positives": positives, "negatives": negatives, "auroc": None, "average_precision": None}
    if positives:
        steps = np.diff(true, prepend=0) / positives
        curve["average_precision"] = float((steps * true / (true + false)).sum())
    if positives and negatives:
        heights = (true + np.concatenate([[0], true[:-1]])) / 2
        curve["auroc"] = float((np.diff(false, prepend=0) * heights).sum() / positives / negatives)
    kept = _evenly(true / max(positives, 1) + false / max(negatives, 1))
    return curve | {
        "thresholds": scores[last][kept].tolist(),
        "true_positives": true[kept].tolist(),
        "false_positives": false[kept].tolist(),
    }


def _evenly(positions: Numbers) -> NDArray[np.int64]:
    """Return the indices of at most 100 ascending positions, evenly from the first to the last."""
    if len(positions) <= MAX_CURVE_POINTS:
        return np.arange(len(positions))
    places = np.linspace(positions[0], positions[-1], MAX_CURVE_POINTS)
    return np.unique(np.searchsorted(positions, places).clip(max=len(positions) - 1))
