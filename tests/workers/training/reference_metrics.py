"""The metrics as they were counted before torchmetrics did: an oracle for their values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

NUMBER_METRICS = frozenset({"mae", "mse", "r2"})

# Losses of yes-or-no outputs: (output above this is a yes, target above this is one).
DECISIONS: Mapping[str, tuple[float, float]] = {
    "BCEWithLogitsLoss": (0.0, 0.5),
    "BCELoss": (0.5, 0.5),
    "SoftMarginLoss": (0.0, 0.0),
    "MultiLabelSoftMarginLoss": (0.0, 0.5),
}


@dataclass
class ClassCounts:
    """How often each class was predicted, was true, and both: int64 (classes); and how often it was among the five."""

    predicted: Tensor
    true: Tensor
    right: Tensor
    top5_correct: Tensor  # scalar

    @classmethod
    def of(cls, output: Tensor, target: Tensor, kind: str, ignored: int | None) -> "ClassCounts":
        """Count one batch. Output: (N, C, …) scores, or any shape of decisions; target: (N, …), or like output."""
        if kind in DECISIONS:
            above, true_above = DECISIONS[kind]
            scores = (output > above).flatten().long()
            truth, classes = (target > true_above).flatten().long(), 2
            five = torch.full_like(scores, True, dtype=torch.bool)
        else:
            classes = output.shape[1]
            rows = output.movedim(1, -1).reshape(-1, classes)
            truth = (target.argmax(1) if target.is_floating_point() else target).flatten()
            scores = rows.argmax(1)
            five = (rows.topk(min(5, classes), 1).indices == truth.unsqueeze(1)).any(1)
        if ignored is not None:
            kept = truth != ignored
            scores, truth, five = scores[kept], truth[kept], five[kept]
        predicted, true, right = (
            torch.bincount(part, minlength=classes) for part in (scores, truth, truth[scores == truth])
        )
        return cls(predicted, true, right, five.sum())

    def __add__(self, other: "ClassCounts") -> "ClassCounts":
        return ClassCounts(
            self.predicted + other.predicted,
            self.true + other.true,
            self.right + other.right,
            self.top5_correct + other.top5_correct,
        )

    def mean_ratio(self, whole: Tensor) -> float:
        """Return the mean over the classes seen (true or predicted) of right / whole; none of a class counts as 0."""
        seen = (self.predicted + self.true) > 0
        parts = torch.where(whole > 0, self.right / whole.clamp(min=1e-12), torch.zeros_like(self.right / 1.0))
        return float(parts[seen].mean())


@dataclass
class NumberSums:
    """Sums over all numbers, in double precision."""

    sums: Tensor  # (5): how many, |error|, error², target, target²

    @classmethod
    def of(cls, output: Tensor, target: Tensor) -> "NumberSums":
        """Add up one batch."""
        host = output.device.type == "mps"  # which knows no double precision
        output, target = (part.cpu().double() if host else part.double() for part in (output, target))
        error = output - target.reshape(output.shape)
        count = torch.tensor(float(target.numel()), dtype=torch.float64, device=error.device)
        return cls(torch.stack([count, error.abs().sum(), (error**2).sum(), target.sum(), (target**2).sum()]))

    def __add__(self, other: "NumberSums") -> "NumberSums":
        return NumberSums(self.sums + other.sums)


CLASS_METRICS: Mapping[str, Callable[[ClassCounts], float]] = {
    "accuracy": lambda counts: float(counts.right.sum() / counts.true.sum()),
    "top5_accuracy": lambda counts: float(counts.top5_correct / counts.true.sum()),
    "precision": lambda counts: counts.mean_ratio(counts.predicted),
    "recall": lambda counts: counts.mean_ratio(counts.true),
    "f1": lambda counts: counts.mean_ratio((counts.predicted + counts.true) / 2),
}


def _r2(count: float, error: float, squares: float, total: float, total_squares: float) -> float:
    spread = total_squares - total**2 / count
    return 1 - squares / spread if spread > 0 else float("nan")


SUM_METRICS: Mapping[str, Callable[..., float]] = {
    "mae": lambda count, error, *_: error / count,
    "mse": lambda count, _, squares, *__: squares / count,
    "r2": _r2,
}


@dataclass
class ReferenceMeter:
    """The metrics of a job while a split passes by."""

    names: Sequence[str]
    kind: str  # of the loss
    ignore_index: int | None = None  # class that the loss ignores
    _classes: ClassCounts | None = field(default=None)
    _numbers: NumberSums | None = field(default=None)

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take one batch into account."""
        if any(name in CLASS_METRICS for name in self.names):
            counts = ClassCounts.of(output, target, self.kind, self.ignore_index)
            self._classes = counts if self._classes is None else self._classes + counts
        if any(name in NUMBER_METRICS for name in self.names):
            sums = NumberSums.of(output, target)
            self._numbers = sums if self._numbers is None else self._numbers + sums

    def values(self) -> dict[str, float]:
        """Return every metric by name."""
        found = {}
        sums = self._numbers.sums.tolist() if self._numbers is not None else []
        for name in self.names:
            if name in CLASS_METRICS and self._classes is not None:
                found[name] = CLASS_METRICS[name](self._classes)
            elif sums:
                found[name] = float(SUM_METRICS[name](*sums))
        return found


def reference_metrics(
    kind: str, names: list[str], output: Tensor, target: Tensor, ignored: int | None = None
) -> dict[str, float]:
    """Return the metrics of some rows."""
    meter = ReferenceMeter(names, kind, ignored)
    meter.add(output, target)
    return meter.values()
