"""What is counted of every evaluation, so that a report can be made of it: little, and on the device."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from app.spec.training.losses import About
from app.spec.training.metrics import MOST_CLASSES, are_spans
from workers.training.devices import counting
from workers.training.metrics.entity_spans import Tagging
from workers.training.metrics.shares import averages, table
from workers.training.objective.decode import Answers, Reading

MOST_ERRORS = 1 << 20  # numbers that are kept for quantiles
SHARES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


class Tally(Protocol):
    """Counts the answers of one head."""

    def add(self, answers: Answers) -> None:
        """Take one batch into account."""
        ...

    def document(self) -> dict[str, Any]:
        """Return what was counted, as JSON; waits for the device."""
        ...


@dataclass
class Choices:
    """One of several classes: how often each was chosen where each is true."""

    reading: Reading
    _pairs: Tensor | None = None  # int64 (true x chosen)
    _right: list[Tensor] = field(default_factory=list)
    _count: int = 0
    _classes: int = 0

    def add(self, answers: Answers) -> None:
        """Take one batch into account."""
        scores, truth = answers.scores, answers.truth
        self._classes = scores.shape[1] if scores is not None and scores.ndim > 1 else self.reading.classes
        self._count += len(truth)
        self._right.append((answers.choice == truth).sum())
        if self._classes <= MOST_CLASSES:
            if self._pairs is None:
                self._pairs = truth.new_zeros(self._classes**2)
            with counting():
                self._pairs.scatter_add_(0, truth * self._classes + answers.choice, torch.ones_like(truth))

    def document(self) -> dict[str, Any]:
        """Return a row for each class, the averages, and the confusion matrix."""
        right = int(torch.stack(self._right).sum())
        whole: dict[str, Any] = {"count": self._count, "right": right}
        if self._pairs is None:
            note = f"there are {self._classes:,} classes: of more than {MOST_CLASSES:,} only what is right is counted"
            return whole | {"classes": None, "averages": None, "confusion": None, "notes": [note]}
        pairs = self._pairs.reshape(self._classes, self._classes).cpu()
        rows = table(self._labels(), pairs.diagonal(), pairs.sum(0), pairs.sum(1))
        return whole | {"classes": rows, "averages": averages(rows), "confusion": pairs.tolist(), "notes": []}

    def _labels(self) -> list[str]:
        known = self.reading.labels or ()
        if self.reading.about == "decisions" and len(known) != 2:
            known = ("no", "yes")
        return [known[code] if code < len(known) else str(code) for code in range(self._classes)]


@dataclass
class Tokens:
    """A class for every token, and the entities that they mark."""

    reading: Reading
    _lists: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._choices = Choices(self.reading)
        self._marks = are_spans(self.reading.labels)

    def add(self, answers: Answers) -> None:
        """Take one batch into account."""
        self._choices.add(answers)
        if self._marks and answers.lists is not None:
            self._lists.append(answers.lists)

    def document(self) -> dict[str, Any]:
        """Return what there is to tell of tokens, and of entities if the tags mark any."""
        spans = None
        if self._lists:
            batches = [(predicted.cpu(), true.cpu()) for predicted, true in self._lists]
            found = Tagging.of(self.reading.labels or ()).count(batches, self.reading.ignored)
            rows = table(found.types, found.right, found.predicted, found.true)
            spans = {"types": rows, "averages": averages(rows)}
        return self._choices.document() | {"spans": spans}


@dataclass
class Labels:
    """A yes or no for each of several labels."""

    reading: Reading
    _counts: Tensor | None = None  # right, predicted, true: int64 (3, labels)
    _exact: list[Tensor] = field(default_factory=list)
    _count: int = 0

    def add(self, answers: Answers) -> None:
        """Take one batch into account."""
        choice, truth = answers.choice, answers.truth
        counts = torch.stack([(choice & truth).sum(0), choice.sum(0), truth.sum(0)])
        self._counts = counts if self._counts is None else self._counts + counts
        self._exact.append((choice == truth).all(1).sum())
        self._count += len(truth)

    def document(self) -> dict[str, Any]:
        """Return a row for each label, and the averages."""
        assert self._counts is not None  # noqa: S101 - there are rows
        right, predicted, true = self._counts.cpu()
        known = self.reading.labels or tuple(map(str, range(len(true))))
        rows = table(known[:MOST_CLASSES], right, predicted, true)
        notes = [f"there are {len(true):,} labels, of which these are the first"] if len(true) > MOST_CLASSES else []
        return {"count": self._count, "right": int(torch.stack(self._exact).sum()), "labels": rows,
                "averages": averages(rows, every=True), "notes": notes}  # fmt: skip


@dataclass
class Numbers:
    """Errors: output less target."""

    reading: Reading
    _sums: Tensor | None = None  # error, |error|, error², in double precision
    _kept: list[Tensor] = field(default_factory=list)
    _ends: list[Tensor] = field(default_factory=list)  # least and largest error of each batch
    _count: int = 0
    _every: int = 1

    def add(self, answers: Answers) -> None:
        """Take one batch into account."""
        errors = answers.choice - answers.truth
        if not len(errors):
            return
        sums = torch.stack([errors.sum(), errors.abs().sum(), (errors**2).sum()])
        self._sums = sums if self._sums is None else self._sums + sums
        self._ends.append(torch.stack([errors.min(), errors.max()]))
        self._kept.append(errors[-self._count % self._every :: self._every])
        self._count += len(errors)
        while sum(map(len, self._kept)) > MOST_ERRORS:  # every second is enough
            self._kept, self._every = [torch.cat(self._kept)[::2]], 2 * self._every

    def document(self) -> dict[str, Any]:
        """Return means and quantiles of the error."""
        if self._sums is None:
            return {"count": 0, "error": None, "notes": ["there is nothing to compare with"]}
        mean, absolute, squared = (self._sums / self._count).tolist()
        ends = torch.stack(self._ends)
        found = torch.quantile(torch.cat(self._kept), self._sums.new_tensor(SHARES)).tolist()
        found[0], found[-1] = float(ends[:, 0].min()), float(ends[:, 1].max())
        quantiles = [{"share": share, "error": error} for share, error in zip(SHARES, found, strict=True)]
        notes = [f"quantiles are those of every {self._every}th number"] if self._every > 1 else []
        error = {"mean": mean, "mean_absolute": absolute, "root_mean_squared": squared**0.5, "quantiles": quantiles}
        return {"count": self._count, "error": error, "notes": notes}


TALLIES: Mapping[About, Callable[[Reading], Tally]] = {
    "classes": Choices,
    "tags": Tokens,
    "decisions": Choices,
    "labels": Labels,
    "numbers": Numbers,
}
