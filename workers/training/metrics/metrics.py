"""Metrics of torchmetrics over a split: states grow batch by batch on the device, and are read at the end."""

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
from app.spec.training.metric_families import TopAccuracy, parse_metric
from app.spec.training.metrics import SPAN_METRICS
from workers.training.devices import allow_nondeterminism
from workers.training.metrics.entity_spans import SpanCounts, TagScheme
from workers.training.metrics.reports.classification_report import SCORE_NAMES, precision_recall_f1
from workers.training.objective.decode import LabelledPredictions, OutputDecoder

# isort: split
from torchmetrics import Metric, MetricCollection, classification, regression

from workers.training.metrics.formulas import classification as custom
from workers.training.metrics.formulas import intervals, numbers, sequences

NO_VALIDATION: Any = {"validate_args": False}  # each check of a batch would wait for the device
CALIBRATION_BINS = 15


InputField = Literal["predicted", "scores", "ranking", "probabilities", "tag_lists", "quantiles"]
INPUTS: Mapping[InputField, Callable[[LabelledPredictions], Tensor | None]] = {
    "predicted": lambda predictions: predictions.predicted,
    "scores": lambda predictions: predictions.scores,
    "ranking": lambda predictions: predictions.ranking,
    "probabilities": lambda predictions: predictions.probabilities,
    "quantiles": lambda predictions: predictions.quantiles,
}


class MetricDefinition(NamedTuple):
    """A row of a table: the input, the metrics of one `state`, which is shared, and what builds the metric."""

    input_field: InputField
    state: str
    build: Callable[[OutputDecoder, int], Metric]  # from the decoder and the number of classes or labels


def _class_metric(metric: Callable[..., Metric], state: str, **options: str) -> MetricDefinition:
    return MetricDefinition("predicted", state, lambda decoder, size: metric(size, **options, **NO_VALIDATION))


def _averaged_metrics(
    precision: Callable[..., Metric], recall: Callable[..., Metric], f1: Callable[..., Metric]
) -> dict[str, MetricDefinition]:
    """Return the rows of three metrics by average: macro unless the name says otherwise."""
    definitions = {}
    for name, metric in {"precision": precision, "recall": recall, "f1": f1}.items():
        for average in ("macro", "micro", "weighted"):
            title = name if average == "macro" else f"{name}_{average}"
            definitions[title] = _class_metric(metric, "micro" if average == "micro" else "counts", average=average)
    return definitions


DECISION_METRICS: Mapping[str, MetricDefinition] = {
    "accuracy": _class_metric(classification.MulticlassAccuracy, "micro", average="micro"),
    "balanced_accuracy": _class_metric(custom.BalancedAccuracy, "counts"),
    **_averaged_metrics(
        classification.MulticlassPrecision, classification.MulticlassRecall, classification.MulticlassF1Score
    ),
    "iou": _class_metric(custom.MulticlassIoU, "counts"),
    "mcc": _class_metric(custom.MatthewsCorrCoef, "confusion"),
    "cohen_kappa": _class_metric(custom.CohenKappa, "confusion"),
}


def _top_accuracy(k: int) -> MetricDefinition:
    return MetricDefinition(
        "scores",
        f"top{k}",
        lambda decoder, size: classification.MulticlassAccuracy(
            size, top_k=min(k, size), average="micro", **NO_VALIDATION
        ),
    )


MULTICLASS_METRICS: Mapping[str, MetricDefinition] = {
    **DECISION_METRICS,
    "top5_accuracy": _top_accuracy(5),
    "auroc": MetricDefinition(
        "ranking", "curves", lambda decoder, size: custom.MulticlassAUROC(size, average=None, **NO_VALIDATION)
    ),
    "average_precision": MetricDefinition(
        "ranking",
        "curves",
        lambda decoder, size: custom.MulticlassAveragePrecision(size, average=None, **NO_VALIDATION),
    ),
    "calibration_error": MetricDefinition(
        "probabilities",
        "bins",
        lambda decoder, size: classification.MulticlassCalibrationError(size, n_bins=CALIBRATION_BINS, **NO_VALIDATION),
    ),
    "log_loss": MetricDefinition("scores", "likelihood", lambda decoder, size: custom.LogLoss()),
    "perplexity": MetricDefinition("scores", "likelihood", lambda decoder, size: custom.Perplexity()),
    "bits_per_token": MetricDefinition("scores", "likelihood", lambda decoder, size: custom.BitsPerToken()),
}

TAG_METRICS: Mapping[str, MetricDefinition] = {
    **MULTICLASS_METRICS,
    "exact_match": MetricDefinition(
        "tag_lists",
        "tag_lists",
        lambda decoder, size: classification.MulticlassExactMatch(
            size, ignore_index=decoder.ignore_index, **NO_VALIDATION
        ),
    ),
}

BINARY_METRICS: Mapping[str, MetricDefinition] = {
    **DECISION_METRICS,
    "log_loss": MetricDefinition("probabilities", "likelihood", lambda decoder, size: custom.BinaryLogLoss()),
    "precision_positive": _class_metric(lambda size, **options: custom.BinaryPrecision(**options), "yes"),
    "recall_positive": _class_metric(lambda size, **options: custom.BinaryRecall(**options), "yes"),
    "f1_positive": _class_metric(lambda size, **options: custom.BinaryF1Score(**options), "yes"),
    "specificity": _class_metric(lambda size, **options: custom.BinarySpecificity(**options), "yes"),
    "iou_positive": _class_metric(lambda size, **options: custom.BinaryIoU(**options), "yes"),
    "auroc": MetricDefinition("ranking", "curves", lambda decoder, size: custom.BinaryAUROC(**NO_VALIDATION)),
    "average_precision": MetricDefinition(
        "ranking", "curves", lambda decoder, size: custom.BinaryAveragePrecision(**NO_VALIDATION)
    ),
    "calibration_error": MetricDefinition(
        "probabilities",
        "bins",
        lambda decoder, size: classification.BinaryCalibrationError(n_bins=CALIBRATION_BINS, **NO_VALIDATION),
    ),
}

MULTILABEL_METRICS: Mapping[str, MetricDefinition] = {
    "accuracy": _class_metric(classification.MultilabelAccuracy, "micro", average="micro"),
    **{
        name if average == "macro" else f"{name}_{average}": _class_metric(
            custom.MultilabelScore, "counts", score=name, average=average
        )
        for name in ("precision", "recall", "f1")
        for average in ("macro", "micro", "weighted")
    },
    "iou": _class_metric(custom.MultilabelScore, "counts", score="iou", average="macro"),
    "auroc": MetricDefinition(
        "ranking", "curves", lambda decoder, size: custom.MultilabelAUROC(size, average=None, **NO_VALIDATION)
    ),
    "average_precision": MetricDefinition(
        "ranking",
        "curves",
        lambda decoder, size: custom.MultilabelAveragePrecision(size, average=None, **NO_VALIDATION),
    ),
    "exact_match": _class_metric(classification.MultilabelExactMatch, "exact"),
    "hamming": _class_metric(classification.MultilabelHammingDistance, "counts"),
}


def _regression_metric(state: str, make: Callable[[], Metric]) -> MetricDefinition:
    return MetricDefinition("predicted", state, lambda decoder, size: make().set_dtype(torch.float64))


REGRESSION_METRICS: Mapping[str, MetricDefinition] = {
    "mae": _regression_metric("mae", regression.MeanAbsoluteError),
    "mse": _regression_metric("squares", regression.MeanSquaredError),
    "rmse": _regression_metric("squares", lambda: regression.MeanSquaredError(squared=False)),
    "mape": _regression_metric("mape", regression.MeanAbsolutePercentageError),
    "smape": _regression_metric("smape", regression.SymmetricMeanAbsolutePercentageError),
    "r2": _regression_metric("target and error sums", numbers.R2Score),
    "explained_variance": _regression_metric("target and error sums", numbers.ExplainedVariance),
    "pearson": _regression_metric("pearson", regression.PearsonCorrCoef),
    "spearman": _regression_metric("ranks", numbers.SpearmanCorrCoef),
    "coverage": MetricDefinition("quantiles", "coverage", lambda decoder, size: intervals.Coverage()),
    "interval_width": MetricDefinition("quantiles", "width", lambda decoder, size: intervals.IntervalWidth()),
    "pinball": MetricDefinition("quantiles", "pinball", lambda decoder, size: intervals.PinballLoss(decoder.quantiles)),
}

SEQUENCE_METRICS: Mapping[str, MetricDefinition] = {
    "token_error_rate": MetricDefinition("predicted", "class", lambda decoder, size: sequences.EditDistance("class")),
    "edit_distance": MetricDefinition("predicted", "row", lambda decoder, size: sequences.EditDistance("row")),
    "exact_match": MetricDefinition("predicted", "exact", lambda decoder, size: sequences.EditDistance("exact")),
}

METRIC_DEFINITIONS: Mapping[TaskType, Mapping[str, MetricDefinition]] = {
    "classes": MULTICLASS_METRICS,
    "tags": TAG_METRICS,
    "decisions": BINARY_METRICS,
    "labels": MULTILABEL_METRICS,
    "numbers": REGRESSION_METRICS,
    "sequences": SEQUENCE_METRICS,
}


def metric_definition(task: TaskType, name: str) -> MetricDefinition:
    """Return the row of a metric, also of one with settings in its name."""
    settings = parse_metric(name) if name not in METRIC_DEFINITIONS[task] else None
    if settings is None:
        return METRIC_DEFINITIONS[task][name]
    if isinstance(settings, TopAccuracy):
        return _top_accuracy(settings.k)
    beta, average = float(settings.beta), settings.average
    if average == "positive":
        return _class_metric(lambda size, **options: custom.BinaryFBetaScore(beta, **options), "yes")
    if task == "labels":
        return _class_metric(
            lambda size, **options: custom.MultilabelScore(size, "f1", average, beta, **options), "counts"
        )
    state = "micro" if average == "micro" else "counts"
    build = classification.MulticlassFBetaScore
    return _class_metric(lambda size, **options: build(beta, size, average=average, **options), state)


@contextmanager
def suppress_warnings() -> Iterator[None]:
    """Suppress the warnings of torchmetrics about memory, and about absent classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass
class MetricAccumulator:
    """The metrics of a head, batch by batch."""

    names: Sequence[str]
    decoder: OutputDecoder
    _count: int = 0
    _groups: dict[InputField, MetricCollection] = field(default_factory=dict)
    _lists: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def add(self, predictions: LabelledPredictions) -> None:
        """Take one batch into account."""
        if not self.names or not len(predictions.target):
            return
        if not self._count:
            with suppress_warnings():
                self._groups = self._build_collections(predictions)
        self._count += len(predictions.target)
        with allow_nondeterminism():
            for input_field, group in self._groups.items():
                group.update(*_metric_inputs(predictions, input_field))
        if not SPAN_METRICS.isdisjoint(self.names) and predictions.tag_lists is not None:
            self._lists.append(predictions.tag_lists)

    def values(self) -> dict[str, float]:
        """Return every metric by name; NaN if every target is ignored. Waits for the device."""
        if not self._count:
            return dict.fromkeys(self.names, math.nan)
        values: dict[str, float] = {}
        with suppress_warnings():
            for group in self._groups.values():
                values |= {name: float(value) for name, value in group.to("cpu").compute().items()}
        if self._lists:
            scheme = TagScheme.from_labels(self.decoder.labels or ())
            values |= span_scores(scheme.count(self._lists, self.decoder.ignore_index))
        return {name: values[_module_name(name)] for name in self.names}

    def _build_collections(self, predictions: LabelledPredictions) -> dict[InputField, MetricCollection]:
        task = self.decoder.task_type
        rows = {name: metric_definition(task, name) for name in self.names if name not in SPAN_METRICS}
        scores = predictions.scores
        size = scores.shape[-1] if scores is not None and scores.ndim > 1 else self.decoder.classes
        groups: dict[InputField, MetricCollection] = {}
        for input_field in dict.fromkeys(row.input_field for row in rows.values()):
            group = {name: row for name, row in rows.items() if row.input_field == input_field}
            states = dict.fromkeys(row.state for row in group.values())
            sharing = [[_module_name(name) for name, row in group.items() if row.state == state] for state in states]
            metrics: dict[str, Metric | MetricCollection] = {
                _module_name(name): row.build(self.decoder, size) for name, row in group.items()
            }
            groups[input_field] = MetricCollection(metrics, compute_groups=sharing).to(predictions.target.device)
        return groups


def _module_name(name: str) -> str:
    """Return the name of a metric as a module's, which has no point: of `f0.5`."""
    return name.replace(".", "_point_")


def _metric_inputs(predictions: LabelledPredictions, input_field: InputField) -> tuple[Tensor, Tensor]:
    if input_field == "tag_lists":
        assert predictions.tag_lists is not None  # noqa: S101 - tags have them
        return predictions.tag_lists
    inputs = INPUTS[input_field](predictions)
    assert inputs is not None  # noqa: S101 - `metric_mismatch` refuses such metrics
    return inputs, predictions.target


def span_scores(spans: SpanCounts) -> dict[str, float]:
    """Return the metrics of entities, over all types together; NaN if there is no true entity."""
    right, predicted, true = (int(counts.sum()) for counts in (spans.right, spans.predicted, spans.true))
    scores = precision_recall_f1(right, predicted, true) if true else dict.fromkeys(SCORE_NAMES, math.nan)
    return {f"span_{name}": score for name, score in scores.items()}
