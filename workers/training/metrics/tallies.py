"""What is counted of every evaluation, so that a report can be made of it: little, and on the device."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from app.spec.training.losses import TaskType
from app.spec.training.metrics import MAX_CLASSES, is_iob_tag_set
from workers.training.devices import allow_nondeterminism
from workers.training.metrics.entity_spans import TagScheme
from workers.training.metrics.shares import average_scores, report_rows
from workers.training.objective.decode import OutputDecoder, Predictions

MAX_SAMPLED_ERRORS = 1 << 20  # numbers that are kept for quantiles
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


class ReportAccumulator(Protocol):
    """Counts the answers of one head."""

    def add(self, answers: Predictions) -> None:
        """Take one batch into account."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return what was counted, as JSON; waits for the device."""
        ...


@dataclass
class ClassAccumulator:
    """One of several classes: how often each was chosen where each is true."""

    decoder: OutputDecoder
    _pairs: Tensor | None = None  # int64 (true x chosen)
    _right: list[Tensor] = field(default_factory=list)
    _count: int = 0
    _classes: int = 0

    def add(self, answers: Predictions) -> None:
        """Take one batch into account."""
        scores, truth = answers.scores, answers.target
        self._classes = scores.shape[1] if scores is not None and scores.ndim > 1 else self.decoder.classes
        self._count += len(truth)
        self._right.append((answers.predicted == truth).sum())
        if self._classes <= MAX_CLASSES:
            if self._pairs is None:
                self._pairs = truth.new_zeros(self._classes**2)
            with allow_nondeterminism():
                self._pairs.scatter_add_(0, truth * self._classes + answers.predicted, torch.ones_like(truth))

    def to_dict(self) -> dict[str, Any]:
        """Return a row for each class, the averages, and the confusion matrix."""
        right = int(torch.stack(self._right).sum())
        whole: dict[str, Any] = {"count": self._count, "right": right}
        if self._pairs is None:
            note = f"there are {self._classes:,} classes: of more than {MAX_CLASSES:,} only what is right is counted"
            return whole | {"classes": None, "averages": None, "confusion": None, "notes": [note]}
        pairs = self._pairs.reshape(self._classes, self._classes).cpu()
        rows = report_rows(self._labels(), pairs.diagonal(), pairs.sum(0), pairs.sum(1))
        return whole | {"classes": rows, "averages": average_scores(rows), "confusion": pairs.tolist(), "notes": []}

    def _labels(self) -> list[str]:
        known = self.decoder.labels or ()
        if self.decoder.about == "decisions" and len(known) != 2:
            known = ("no", "yes")
        return [known[code] if code < len(known) else str(code) for code in range(self._classes)]


@dataclass
class TagAccumulator:
    """A class for every token, and the entities that they mark."""

    decoder: OutputDecoder
    _lists: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._classes = ClassAccumulator(self.decoder)
        self._has_spans = is_iob_tag_set(self.decoder.labels)

    def add(self, answers: Predictions) -> None:
        """Take one batch into account."""
        self._classes.add(answers)
        if self._has_spans and answers.tag_lists is not None:
            self._lists.append(answers.tag_lists)

    def to_dict(self) -> dict[str, Any]:
        """Return what there is to tell of tokens, and of entities if the tags mark any."""
        spans = None
        if self._lists:
            batches = [(predicted.cpu(), true.cpu()) for predicted, true in self._lists]
            found = TagScheme.from_labels(self.decoder.labels or ()).count(batches, self.decoder.ignore_index)
            rows = report_rows(found.types, found.right, found.predicted, found.true)
            spans = {"types": rows, "averages": average_scores(rows)}
        return self._classes.to_dict() | {"spans": spans}


@dataclass
class MultilabelAccumulator:
    """A yes or no for each of several labels."""

    decoder: OutputDecoder
    _counts: Tensor | None = None  # right, predicted, true: int64 (3, labels)
    _exact: list[Tensor] = field(default_factory=list)
    _count: int = 0

    def add(self, answers: Predictions) -> None:
        """Take one batch into account."""
        choice, truth = answers.predicted, answers.target
        counts = torch.stack([(choice & truth).sum(0), choice.sum(0), truth.sum(0)])
        self._counts = counts if self._counts is None else self._counts + counts
        self._exact.append((choice == truth).all(1).sum())
        self._count += len(truth)

    def to_dict(self) -> dict[str, Any]:
        """Return a row for each label, and the averages."""
        assert self._counts is not None  # noqa: S101 - there are rows
        right, predicted, true = self._counts.cpu()
        known = self.decoder.labels or tuple(map(str, range(len(true))))
        rows = report_rows(known[:MAX_CLASSES], right, predicted, true)
        notes = [f"there are {len(true):,} labels, of which these are the first"] if len(true) > MAX_CLASSES else []
        return {
            "count": self._count,
            "right": int(torch.stack(self._exact).sum()),
            "labels": rows,
            "averages": average_scores(rows, every=True),
            "notes": notes,
        }


@dataclass
class RegressionAccumulator:
    """Errors: output less target."""

    decoder: OutputDecoder
    _sums: Tensor | None = None  # error, |error|, error², in double precision
    _sampled_errors: list[Tensor] = field(default_factory=list)
    _error_extremes: list[Tensor] = field(default_factory=list)  # least and largest error of each batch
    _count: int = 0
    _stride: int = 1

    def add(self, answers: Predictions) -> None:
        """Take one batch into account."""
        errors = answers.predicted - answers.target
        if not len(errors):
            return
        sums = torch.stack([errors.sum(), errors.abs().sum(), (errors**2).sum()])
        self._sums = sums if self._sums is None else self._sums + sums
        self._error_extremes.append(torch.stack([errors.min(), errors.max()]))
        self._sampled_errors.append(errors[-self._count % self._stride :: self._stride])
        self._count += len(errors)
        while sum(map(len, self._sampled_errors)) > MAX_SAMPLED_ERRORS:  # every second is enough
            self._sampled_errors, self._stride = [torch.cat(self._sampled_errors)[::2]], 2 * self._stride

    def to_dict(self) -> dict[str, Any]:
        """Return means and quantiles of the error."""
        if self._sums is None:
            return {"count": 0, "error": None, "notes": ["there is nothing to compare with"]}
        mean, absolute, squared = (self._sums / self._count).tolist()
        ends = torch.stack(self._error_extremes)
        found = torch.quantile(torch.cat(self._sampled_errors), self._sums.new_tensor(QUANTILES)).tolist()
        found[0], found[-1] = float(ends[:, 0].min()), float(ends[:, 1].max())
        quantiles = [{"share": share, "error": error} for share, error in zip(QUANTILES, found, strict=True)]
        notes = [f"quantiles are those of every {self._stride}th number"] if self._stride > 1 else []
        error = {"mean": mean, "mean_absolute": absolute, "root_mean_squared": squared**0.5, "quantiles": quantiles}
        return {"count": self._count, "error": error, "notes": notes}


ACCUMULATORS: Mapping[TaskType, Callable[[OutputDecoder], ReportAccumulator]] = {
    "classes": ClassAccumulator,
    "tags": TagAccumulator,
    "decisions": ClassAccumulator,
    "labels": MultilabelAccumulator,
    "numbers": RegressionAccumulator,
}
