"""Metrics of torchmetrics over a whole split: states grow batch by batch on the device, and are read at the end."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

import workers.torch_setup  # noqa: F401 - comes before torchmetrics, which imports torchvision
from app.spec.training.losses import About
from app.spec.training.metrics import SPANS
from workers.training.devices import counting
from workers.training.metrics.entity_spans import Spans, Tagging
from workers.training.objective.decode import Answers, Reading

# isort: split
from torchmetrics import Metric, MetricCollection, classification, regression

from workers.training.metrics import custom

FAST: Any = {"validate_args": False}  # each check of a batch would wait for the device
BINS = 15


class Made(NamedTuple):
    """One row of a table: what it is fed, with which others it shares its state, and what makes it."""

    fed: Literal["choice", "scores", "chances", "lists"]
    state: str
    make: Callable[[Reading, int], Metric]  # from the reading, and how many classes or labels there are


def _class(metric: Callable[..., Metric], state: str, **options: str) -> Made:
    return Made("choice", state, lambda reading, size: metric(size, **options, **FAST))


def _averages(
    precision: Callable[..., Metric], recall: Callable[..., Metric], f1: Callable[..., Metric]
) -> dict[str, Made]:
    """Return the rows of three metrics under their averages: over classes unless the name says otherwise."""
    found = {}
    for name, made in {"precision": precision, "recall": recall, "f1": f1}.items():
        for average in ("macro", "micro", "weighted"):
            title = name if average == "macro" else f"{name}_{average}"
            found[title] = _class(made, "micro" if average == "micro" else "counts", average=average)
    return found


CHOSEN: Mapping[str, Made] = {
    "accuracy": _class(classification.MulticlassAccuracy, "micro", average="micro"),
    "balanced_accuracy": _class(custom.BalancedAccuracy, "counts"),
    **_averages(classification.MulticlassPrecision, classification.MulticlassRecall, classification.MulticlassF1Score),
    "mcc": _class(classification.MulticlassMatthewsCorrCoef, "confusion"),
    "cohen_kappa": _class(classification.MulticlassCohenKappa, "confusion"),
}

CLASSES: Mapping[str, Made] = {
    **CHOSEN,
    "top5_accuracy": Made("scores", "top5", lambda reading, size: classification.MulticlassAccuracy(
        size, top_k=min(5, size), average="micro", **FAST)),
    "auroc": Made("chances", "curves", lambda reading, size: custom.ClassRanking(size, average=None, **FAST)),
    "average_precision": Made("chances", "curves",
                              lambda reading, size: custom.ClassPrecision(size, average=None, **FAST)),
    "calibration_error": Made("chances", "bins", lambda reading, size: classification.MulticlassCalibrationError(
        size, n_bins=BINS, **FAST)),
    "perplexity": Made("scores", "likelihood", lambda reading, size: custom.Perplexity()),
}  # fmt: skip

TAGS: Mapping[str, Made] = {
    **CLASSES,
    "exact_match": Made("lists", "lists", lambda reading, size: classification.MulticlassExactMatch(
        size, ignore_index=reading.ignored, **FAST)),
}  # fmt: skip

YES: Mapping[str, Made] = {
    **CHOSEN,
    "precision_positive": _class(lambda size, **options: classification.BinaryPrecision(**options), "yes"),
    "recall_positive": _class(lambda size, **options: classification.BinaryRecall(**options), "yes"),
    "f1_positive": _class(lambda size, **options: classification.BinaryF1Score(**options), "yes"),
    "auroc": Made("chances", "curves", lambda reading, size: custom.Ranking(**FAST)),
    "average_precision": Made("chances", "curves", lambda reading, size: custom.Precision(**FAST)),
    "calibration_error": Made("chances", "bins",
                              lambda reading, size: classification.BinaryCalibrationError(n_bins=BINS, **FAST)),
}  # fmt: skip

LABELS: Mapping[str, Made] = {
    "accuracy": _class(classification.MultilabelAccuracy, "micro", average="micro"),
    **_averages(
        classification.MultilabelPrecision, classification.MultilabelRecall, classification.MultilabelF1Score
    ),
    "auroc": Made("chances", "curves", lambda reading, size: custom.LabelRanking(size, average=None, **FAST)),
    "average_precision": Made("chances", "curves",
                              lambda reading, size: custom.LabelPrecision(size, average=None, **FAST)),
    "exact_match": _class(classification.MultilabelExactMatch, "exact"),
    "hamming": _class(classification.MultilabelHammingDistance, "counts"),
}  # fmt: skip


def _number(state: str, make: Callable[[], Metric]) -> Made:
    return Made("choice", state, lambda reading, size: make().set_dtype(torch.float64))


NUMBERS: Mapping[str, Made] = {
    "mae": _number("mae", regression.MeanAbsoluteError),
    "mse": _number("squares", regression.MeanSquaredError),
    "rmse": _number("squares", lambda: regression.MeanSquaredError(squared=False)),
    "mape": _number("mape", regression.MeanAbsolutePercentageError),
    "r2": _number("r2", custom.Determination),
    "explained_variance": _number("variance", regression.ExplainedVariance),
    "pearson": _number("pearson", regression.PearsonCorrCoef),
    "spearman": _number("ranks", custom.RankCorrelation),
}

MADE: Mapping[About, Mapping[str, Made]] = {
    "classes": CLASSES, "tags": TAGS, "decisions": YES, "labels": LABELS, "numbers": NUMBERS,
}  # fmt: skip


@contextmanager
def quietly() -> Iterator[None]:
    """Pass over torchmetrics' advice on what is kept in memory, and on classes that are not there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass
class Meter:
    """The metrics of a head while a split passes by."""

    names: Sequence[str]
    reading: Reading
    _count: int = 0
    _groups: dict[str, MetricCollection] = field(default_factory=dict)  # by what they are fed
    _lists: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def add(self, answers: Answers) -> None:
        """Take one batch into account."""
        if not self.names or not len(answers.truth):
            return
        if not self._count:
            with quietly():
                self._groups = self._made(answers)
        self._count += len(answers.truth)
        with counting():
            for fed, group in self._groups.items():
                group.update(*_fed(answers, fed))
        if not SPANS.isdisjoint(self.names) and answers.lists is not None:
            self._lists.append(answers.lists)

    def values(self) -> dict[str, float]:
        """Return every metric by name; no numbers where nothing counted."""
        if not self._count:
            return dict.fromkeys(self.names, math.nan)
        found: dict[str, float] = {}
        with quietly():
            for group in self._groups.values():
                found |= {name: float(value) for name, value in group.to("cpu").compute().items()}
        if self._lists:
            found |= span_values(self.spans())
        return {name: found[name] for name in self.names}

    def spans(self) -> Spans:
        """Return the entities counted so far."""
        batches = [(predicted.cpu(), true.cpu()) for predicted, true in self._lists]
        return Tagging.of(self.reading.labels or ()).count(batches, self.reading.ignored)

    def _made(self, answers: Answers) -> dict[str, MetricCollection]:
        rows = {name: MADE[self.reading.about][name] for name in self.names if name not in SPANS}
        size = (
            answers.scores.shape[-1] if answers.scores is not None and answers.scores.ndim > 1 else self.reading.classes
        )
        groups: dict[str, MetricCollection] = {}
        for fed in dict.fromkeys(row.fed for row in rows.values()):
            mine = {name: row for name, row in rows.items() if row.fed == fed}
            states = dict.fromkeys(row.state for row in mine.values())
            sharing = [[name for name, row in mine.items() if row.state == state] for state in states]
            made: dict[str, Metric | MetricCollection] = {
                name: row.make(self.reading, size) for name, row in mine.items()
            }
            groups[fed] = MetricCollection(made, compute_groups=sharing).to(answers.truth.device)
        return groups


def _fed(answers: Answers, fed: str) -> tuple[Tensor, Tensor]:
    if fed == "lists":
        assert answers.lists is not None  # noqa: S101 - tags have them
        return answers.lists
    found: Tensor = getattr(answers, fed)
    return found, answers.truth


def span_values(spans: Spans) -> dict[str, float]:
    """Return the metrics of entities, over all types together."""
    predicted, true, right = (int(part.sum()) for part in (spans.predicted, spans.true, spans.right))
    return {"span_precision": right / predicted if predicted else 0.0, "span_recall": right / true if true else 0.0,
            "span_f1": 2 * right / (predicted + true) if predicted + true else math.nan}  # fmt: skip
