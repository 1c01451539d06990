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
from app.spec.training.losses import TaskType
from app.spec.training.metrics import SPAN_METRICS
from workers.training.devices import allow_nondeterminism
from workers.training.metrics.entity_spans import SpanCounts, TagScheme
from workers.training.objective.decode import OutputDecoder, Predictions

# isort: split
from torchmetrics import Metric, MetricCollection, classification, regression

from workers.training.metrics import custom

NO_VALIDATION: Any = {"validate_args": False}  # each check of a batch would wait for the device
CALIBRATION_BINS = 15


class MetricDefinition(NamedTuple):
    """One row of a table: what it is fed, with which others it shares its state, and what makes it."""

    input_field: Literal["predicted", "scores", "probabilities", "tag_lists"]
    state: str
    build: Callable[[OutputDecoder, int], Metric]  # from the reading, and how many classes or labels there are


def _class_metric(metric: Callable[..., Metric], state: str, **options: str) -> MetricDefinition:
    return MetricDefinition("predicted", state, lambda reading, size: metric(size, **options, **NO_VALIDATION))


def _averaged_metrics(
    precision: Callable[..., Metric], recall: Callable[..., Metric], f1: Callable[..., Metric]
) -> dict[str, MetricDefinition]:
    """Return the rows of three metrics under their averages: over classes unless the name says otherwise."""
    found = {}
    for name, made in {"precision": precision, "recall": recall, "f1": f1}.items():
        for average in ("macro", "micro", "weighted"):
            title = name if average == "macro" else f"{name}_{average}"
            found[title] = _class_metric(made, "micro" if average == "micro" else "counts", average=average)
    return found


DECISION_METRICS: Mapping[str, MetricDefinition] = {
    "accuracy": _class_metric(classification.MulticlassAccuracy, "micro", average="micro"),
    "balanced_accuracy": _class_metric(custom.BalancedAccuracy, "counts"),
    **_averaged_metrics(
        classification.MulticlassPrecision, classification.MulticlassRecall, classification.MulticlassF1Score
    ),
    "mcc": _class_metric(classification.MulticlassMatthewsCorrCoef, "confusion"),
    "cohen_kappa": _class_metric(classification.MulticlassCohenKappa, "confusion"),
}

MULTICLASS_METRICS: Mapping[str, MetricDefinition] = {
    **DECISION_METRICS,
    "top5_accuracy": MetricDefinition(
        "scores",
        "top5",
        lambda reading, size: classification.MulticlassAccuracy(
            size, top_k=min(5, size), average="micro", **NO_VALIDATION
        ),
    ),
    "auroc": MetricDefinition(
        "probabilities", "curves", lambda reading, size: custom.MulticlassAUROC(size, average=None, **NO_VALIDATION)
    ),
    "average_precision": MetricDefinition(
        "probabilities",
        "curves",
        lambda reading, size: custom.MulticlassAveragePrecision(size, average=None, **NO_VALIDATION),
    ),
    "calibration_error": MetricDefinition(
        "probabilities",
        "bins",
        lambda reading, size: classification.MulticlassCalibrationError(size, n_bins=CALIBRATION_BINS, **NO_VALIDATION),
    ),
    "perplexity": MetricDefinition("scores", "likelihood", lambda reading, size: custom.Perplexity()),
}

TAG_METRICS: Mapping[str, MetricDefinition] = {
    **MULTICLASS_METRICS,
    "exact_match": MetricDefinition(
        "tag_lists",
        "tag_lists",
        lambda reading, size: classification.MulticlassExactMatch(
            size, ignore_index=reading.ignore_index, **NO_VALIDATION
        ),
    ),
}

BINARY_METRICS: Mapping[str, MetricDefinition] = {
    **DECISION_METRICS,
    "precision_positive": _class_metric(lambda size, **options: classification.BinaryPrecision(**options), "yes"),
    "recall_positive": _class_metric(lambda size, **options: classification.BinaryRecall(**options), "yes"),
    "f1_positive": _class_metric(lambda size, **options: classification.BinaryF1Score(**options), "yes"),
    "auroc": MetricDefinition("probabilities", "curves", lambda reading, size: custom.BinaryAUROC(**NO_VALIDATION)),
    "average_precision": MetricDefinition(
        "probabilities", "curves", lambda reading, size: custom.BinaryAveragePrecision(**NO_VALIDATION)
    ),
    "calibration_error": MetricDefinition(
        "probabilities",
        "bins",
        lambda reading, size: classification.BinaryCalibrationError(n_bins=CALIBRATION_BINS, **NO_VALIDATION),
    ),
}

MULTILABEL_METRICS: Mapping[str, MetricDefinition] = {
    "accuracy": _class_metric(classification.MultilabelAccuracy, "micro", average="micro"),
    **_averaged_metrics(
        classification.MultilabelPrecision, classification.MultilabelRecall, classification.MultilabelF1Score
    ),
    "auroc": MetricDefinition(
        "probabilities", "curves", lambda reading, size: custom.MultilabelAUROC(size, average=None, **NO_VALIDATION)
    ),
    "average_precision": MetricDefinition(
        "probabilities",
        "curves",
        lambda reading, size: custom.MultilabelAveragePrecision(size, average=None, **NO_VALIDATION),
    ),
    "exact_match": _class_metric(classification.MultilabelExactMatch, "exact"),
    "hamming": _class_metric(classification.MultilabelHammingDistance, "counts"),
}


def _regression_metric(state: str, make: Callable[[], Metric]) -> MetricDefinition:
    return MetricDefinition("predicted", state, lambda reading, size: make().set_dtype(torch.float64))


REGRESSION_METRICS: Mapping[str, MetricDefinition] = {
    "mae": _regression_metric("mae", regression.MeanAbsoluteError),
    "mse": _regression_metric("squares", regression.MeanSquaredError),
    "rmse": _regression_metric("squares", lambda: regression.MeanSquaredError(squared=False)),
    "mape": _regression_metric("mape", regression.MeanAbsolutePercentageError),
    "r2": _regression_metric("r2", custom.R2Score),
    "explained_variance": _regression_metric("variance", regression.ExplainedVariance),
    "pearson": _regression_metric("pearson", regression.PearsonCorrCoef),
    "spearman": _regression_metric("ranks", custom.SpearmanCorrCoef),
}

METRIC_DEFINITIONS: Mapping[TaskType, Mapping[str, MetricDefinition]] = {
    "classes": MULTICLASS_METRICS,
    "tags": TAG_METRICS,
    "decisions": BINARY_METRICS,
    "labels": MULTILABEL_METRICS,
    "numbers": REGRESSION_METRICS,
}


@contextmanager
def suppress_warnings() -> Iterator[None]:
    """Pass over torchmetrics' advice on what is kept in memory, and on classes that are not there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass
class MetricAccumulator:
    """The metrics of a head while a split passes by."""

    names: Sequence[str]
    decoder: OutputDecoder
    _count: int = 0
    _groups: dict[str, MetricCollection] = field(default_factory=dict)  # by what they are fed
    _lists: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def add(self, answers: Predictions) -> None:
        """Take one batch into account."""
        if not self.names or not len(answers.target):
            return
        if not self._count:
            with suppress_warnings():
                self._groups = self._build_collections(answers)
        self._count += len(answers.target)
        with allow_nondeterminism():
            for fed, group in self._groups.items():
                group.update(*_metric_inputs(answers, fed))
        if not SPAN_METRICS.isdisjoint(self.names) and answers.tag_lists is not None:
            self._lists.append(answers.tag_lists)

    def values(self) -> dict[str, float]:
        """Return every metric by name; no numbers where nothing counted."""
        if not self._count:
            return dict.fromkeys(self.names, math.nan)
        found: dict[str, float] = {}
        with suppress_warnings():
            for group in self._groups.values():
                found |= {name: float(value) for name, value in group.to("cpu").compute().items()}
        if self._lists:
            found |= span_scores(self.spans())
        return {name: found[name] for name in self.names}

    def spans(self) -> SpanCounts:
        """Return the entities counted so far."""
        batches = [(predicted.cpu(), true.cpu()) for predicted, true in self._lists]
        return TagScheme.from_labels(self.decoder.labels or ()).count(batches, self.decoder.ignore_index)

    def _build_collections(self, answers: Predictions) -> dict[str, MetricCollection]:
        rows = {name: METRIC_DEFINITIONS[self.decoder.about][name] for name in self.names if name not in SPAN_METRICS}
        size = (
            answers.scores.shape[-1] if answers.scores is not None and answers.scores.ndim > 1 else self.decoder.classes
        )
        groups: dict[str, MetricCollection] = {}
        for fed in dict.fromkeys(row.input_field for row in rows.values()):
            mine = {name: row for name, row in rows.items() if row.input_field == fed}
            states = dict.fromkeys(row.state for row in mine.values())
            sharing = [[name for name, row in mine.items() if row.state == state] for state in states]
            made: dict[str, Metric | MetricCollection] = {
                name: row.build(self.decoder, size) for name, row in mine.items()
            }
            groups[fed] = MetricCollection(made, compute_groups=sharing).to(answers.target.device)
        return groups


def _metric_inputs(answers: Predictions, fed: str) -> tuple[Tensor, Tensor]:
    if fed == "tag_lists":
        assert answers.tag_lists is not None  # noqa: S101 - tags have them
        return answers.tag_lists
    found: Tensor = getattr(answers, fed)
    return found, answers.target


def span_scores(spans: SpanCounts) -> dict[str, float]:
    """Return the metrics of entities, over all types together."""
    predicted, true, right = (int(part.sum()) for part in (spans.predicted, spans.true, spans.right))
    return {
        "span_precision": right / predicted if predicted else 0.0,
        "span_recall": right / true if true else 0.0,
        "span_f1": 2 * right / (predicted + true) if predicted + true else math.nan,
    }
