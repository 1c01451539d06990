"""The report of an evaluation: per class, confusion, errors; a public file of the checkpoint that was saved with it.

Counts grow batch by batch on the device, and are read once a report is written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from app.spec.training.losses import TaskType
from app.spec.training.metrics import MAX_CLASSES, is_iob_tag_set
from workers.training.devices import allow_nondeterminism
from workers.training.metrics.entity_spans import TagScheme
from workers.training.metrics.reports.regression_report import RegressionAccumulator
from workers.training.metrics.reports.sequence_report import SequenceAccumulator
from workers.training.metrics.score_curves import ScoreAccumulator
from workers.training.objective.decode import LabelledPredictions, OutputDecoder
from workers.training.objective.objective import ObjectiveHead
from workers.training.results import finite_or_none

REPORT_FILE = "report.json"
TEST_REPORT_FILE = "test_report.json"  # of the final checkpoint alone, whichever checkpoint was tested
REPORT_VERSION = 1
SCORE_NAMES = ("precision", "recall", "f1")

ReportRow = dict[str, Any]


class ReportAccumulator(Protocol):
    """Counts the predictions of one head."""

    def add(self, predictions: LabelledPredictions) -> None:
        """Count one batch."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON; waits for the device."""
        ...


def evaluation_report(
    step: int, rows: int, accumulators: Sequence[tuple[ObjectiveHead, ReportAccumulator]]
) -> dict[str, Any] | None:
    """Return the report of the held-out `rows` as JSON; `None` if no output is compared with a target."""
    heads = [_head_report(head, accumulator) for head, accumulator in accumulators]
    return {"version": REPORT_VERSION, "step": step, "rows": rows, "heads": heads} if heads else None


def _head_report(head: ObjectiveHead, accumulator: ReportAccumulator) -> dict[str, Any]:
    decoder = head.decoder
    assert decoder is not None  # noqa: S101 - only decoded outputs have an accumulator
    counts: dict[str, Any] = nan_to_none(accumulator.to_dict())
    return {
        "head": head.name or None,
        "output": decoder.output,
        "target": decoder.column,
        "about": decoder.task_type,
    } | counts


def nan_to_none(value: Any) -> Any:
    """Return the same document with `None` for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {name: nan_to_none(item) for name, item in value.items()}
    if isinstance(value, list):
        return [nan_to_none(item) for item in value]
    return finite_or_none(value) if isinstance(value, float) else value


def precision_recall_f1(right: int, predicted: int, true: int) -> dict[str, float]:
    """Return the three scores from counts, of which one is not zero; what has no divisor is zero."""
    return {
        "precision": right / predicted if predicted else 0.0,
        "recall": right / true if true else 0.0,
        "f1": 2 * right / (predicted + true),
    }


def _report_rows(labels: Sequence[str], right: Tensor, predicted: Tensor, true: Tensor) -> list[ReportRow]:
    """Return a row for each label: how often it is true (support), predicted, and both (right), and the scores."""
    counts = zip(labels, right.tolist(), predicted.tolist(), true.tolist(), strict=False)
    return [_report_row(*row) for row in counts]


def _report_row(label: str, right: int, predicted: int, true: int) -> ReportRow:
    """Return a row; without scores if the label is neither true nor predicted."""
    scores = precision_recall_f1(right, predicted, true) if predicted + true else dict.fromkeys(SCORE_NAMES)
    return {"label": label, **scores, "support": true, "predicted": predicted, "right": right}


def _average_scores(rows: Sequence[ReportRow]) -> Mapping[str, ReportRow | None]:
    """Return the scores averaged over rows (macro), weighted by support, and of all counts together (micro).

    Averages are over rows that are true or predicted. `None` if no row is true.
    """
    support = sum(row["support"] for row in rows)
    averaged = [row for row in rows if row["support"] or row["predicted"]] if support else []
    macro, weighted = (
        {name: sum(row[name] * weight(row) for row in averaged) / total for name in SCORE_NAMES} if total else None
        for total, weight in ((len(averaged), lambda row: 1), (support, lambda row: row["support"]))
    )
    right, predicted = (sum(row[name] for row in rows) for name in ("right", "predicted"))
    micro = precision_recall_f1(right, predicted, support) if averaged else None
    return {"macro": macro, "weighted": weighted, "micro": micro}


@dataclass
class ClassAccumulator:
    """One of several classes: how often each was predicted where each is true."""

    decoder: OutputDecoder
    _confusion: Tensor | None = None  # int64 (true · predicted)
    _right: list[Tensor] = field(default_factory=list)
    _count: int = 0
    _classes: int = 0
    _scores: ScoreAccumulator = field(default_factory=ScoreAccumulator)

    def add(self, predictions: LabelledPredictions) -> None:
        """Count one batch."""
        scores, target = predictions.scores, predictions.target
        self._classes = scores.shape[1] if scores is not None and scores.ndim > 1 else self.decoder.classes
        self._count += len(target)
        self._right.append((predictions.predicted == target).sum())
        self._scores.add(predictions)
        if self._classes <= MAX_CLASSES:
            if self._confusion is None:
                self._confusion = target.new_zeros(self._classes**2)
            cells = target * self._classes + predictions.predicted
            with allow_nondeterminism():
                self._confusion.scatter_add_(0, cells, torch.ones_like(target))

    def to_dict(self) -> dict[str, Any]:
        """Return a row for each class, the averages, and the confusion matrix."""
        counts: dict[str, Any] = {"count": self._count, "right": int(torch.stack(self._right).sum())}
        if self._confusion is None:
            note = f"there are {self._classes:,} classes: beyond {MAX_CLASSES:,} only right predictions are counted"
            lacking = dict.fromkeys(("classes", "averages", "confusion", "calibration", "curves"))
            return counts | lacking | {"notes": [note]}
        confusion = self._confusion.reshape(self._classes, self._classes).cpu()
        rows = _report_rows(self._labels(), confusion.diagonal(), confusion.sum(0), confusion.sum(1))
        return counts | {
            "classes": rows,
            "averages": _average_scores(rows),
            "confusion": confusion.tolist(),
            **self._scores.to_dict(self._labels()),
            "notes": self._scores.notes(self._classes),
        }

    def _labels(self) -> list[str]:
        labels = self.decoder.class_labels()
        return [labels[code] if code < len(labels) else str(code) for code in range(self._classes)]


@dataclass
class TagAccumulator:
    """A class for every token, and the entities that tags mark."""

    decoder: OutputDecoder
    _lists: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tokens = ClassAccumulator(self.decoder)
        self._has_spans = is_iob_tag_set(self.decoder.labels)

    def add(self, predictions: LabelledPredictions) -> None:
        """Count one batch."""
        self._tokens.add(predictions)
        if self._has_spans and predictions.tag_lists is not None:
            self._lists.append(predictions.tag_lists)

    def to_dict(self) -> dict[str, Any]:
        """Return the report of the tokens, and of the entities if the tags mark any."""
        entities = None
        if self._lists:
            spans = TagScheme.from_labels(self.decoder.labels or ()).count(self._lists, self.decoder.ignore_index)
            rows = _report_rows(spans.types, spans.right, spans.predicted, spans.true)
            entities = {"types": rows, "averages": _average_scores(rows)}
        return self._tokens.to_dict() | {"spans": entities}


@dataclass
class MultilabelAccumulator:
    """A yes or no for each of several labels."""

    decoder: OutputDecoder
    _counts: Tensor | None = None  # right, predicted, true: int64 (3, labels)
    _exact: list[Tensor] = field(default_factory=list)
    _count: int = 0
    _scores: ScoreAccumulator = field(default_factory=ScoreAccumulator)

    def add(self, predictions: LabelledPredictions) -> None:
        """Count one batch."""
        predicted, target = predictions.predicted, predictions.target
        counts = torch.stack([(predicted & target).sum(0), predicted.sum(0), target.sum(0)])
        self._counts = counts if self._counts is None else self._counts + counts
        self._exact.append((predicted == target).all(1).sum())
        self._count += len(target)
        self._scores.add(predictions)

    def to_dict(self) -> dict[str, Any]:
        """Return a row for each label, and the averages."""
        assert self._counts is not None  # noqa: S101 - a split has at least one row
        right, predicted, true = self._counts.cpu()
        labels = self.decoder.labels or tuple(map(str, range(len(true))))
        rows = _report_rows(labels[:MAX_CLASSES], right, predicted, true)
        notes = [f"there are {len(true):,} labels, of which these are the first"] if len(true) > MAX_CLASSES else []
        return {
            "count": self._count,
            "right": int(torch.stack(self._exact).sum()),
            "labels": rows,
            "averages": _average_scores(rows),
            **self._scores.to_dict(labels),
            "notes": [*notes, *self._scores.notes(len(true))],
        }


ACCUMULATORS: Mapping[TaskType, Callable[[OutputDecoder], ReportAccumulator]] = {
    "classes": ClassAccumulator,
    "tags": TagAccumulator,
    "decisions": ClassAccumulator,
    "labels": MultilabelAccumulator,
    "numbers": RegressionAccumulator,
    "sequences": SequenceAccumulator,
}
