"""Metrics: what is reported of the held-out examples beside the loss, by task type."""

from collections.abc import Iterator, Mapping, Sequence
from re import fullmatch
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from app.errors import Problem
from app.spec.base import validation_error
from app.spec.data.columns import Column
from app.spec.hints.names import choices, did_you_mean
from app.spec.training.losses import BaseLoss, TaskType, equivalent_loss, task_type
from app.spec.training.metric_families import FAMILIES, FBeta, TopAccuracy, family_example, metric_name, parse_metric


class MetricKind(NamedTuple):
    """A row of the table. `requires` is what an output must give: decisions, scores, probabilities, or quantiles."""

    sentence: str
    task_types: tuple[TaskType, ...]
    requires: Literal["predicted", "scores", "probabilities", "quantiles"] = "predicted"
    least_quantiles: int = 1


_MULTICLASS: tuple[TaskType, ...] = ("classes", "tags")
_SINGLE_LABEL: tuple[TaskType, ...] = (*_MULTICLASS, "decisions")
_CLASSIFICATION: tuple[TaskType, ...] = (*_SINGLE_LABEL, "labels")
_REGRESSION: tuple[TaskType, ...] = ("numbers",)
_SEQUENCES: tuple[TaskType, ...] = ("sequences",)

METRICS: Mapping[str, MetricKind] = {
    "accuracy": MetricKind("Share of examples (or tokens, or decisions) that are right.", _CLASSIFICATION),
    "top5_accuracy": MetricKind(
        "Share of examples whose class is among the five most probable.", _MULTICLASS, "scores"
    ),
    "balanced_accuracy": MetricKind("Mean recall of the classes that there are.", _SINGLE_LABEL),
    "precision": MetricKind("Macro-averaged precision over classes.", _CLASSIFICATION),
    "precision_micro": MetricKind("Precision over all decisions together.", _CLASSIFICATION),
    "precision_weighted": MetricKind("Precision of each class, weighed by how often it is true.", _CLASSIFICATION),
    "precision_positive": MetricKind("Precision of yes.", ("decisions",)),
    "recall": MetricKind("Macro-averaged recall over classes.", _CLASSIFICATION),
    "recall_micro": MetricKind("Recall over all decisions together.", _CLASSIFICATION),
    "recall_weighted": MetricKind("Recall of each class, weighed by how often it is true.", _CLASSIFICATION),
    "recall_positive": MetricKind("Recall of yes.", ("decisions",)),
    "f1": MetricKind("Macro-averaged F1 score over classes.", _CLASSIFICATION),
    "f1_micro": MetricKind("F1 score over all decisions together.", _CLASSIFICATION),
    "f1_weighted": MetricKind("F1 score of each class, weighed by how often it is true.", _CLASSIFICATION),
    "f1_positive": MetricKind("F1 score of yes.", ("decisions",)),
    "specificity": MetricKind("True negative rate: recall of no.", ("decisions",)),
    "iou": MetricKind(
        "Intersection over union of each class (the Jaccard index), averaged over classes: of pixels the mean IoU.",
        _CLASSIFICATION,
    ),
    "iou_positive": MetricKind("Intersection over union of yes.", ("decisions",)),
    "auroc": MetricKind(
        "Area under the ROC curve; of several classes each against the rest, averaged.", _CLASSIFICATION, "scores"
    ),
    "average_precision": MetricKind(
        "Area under the curve of precision and recall; of several classes averaged.", _CLASSIFICATION, "scores"
    ),
    "mcc": MetricKind("Matthews' correlation of predicted and true classes.", _SINGLE_LABEL),
    "cohen_kappa": MetricKind("Cohen's kappa: agreement beyond chance.", _SINGLE_LABEL),
    "calibration_error": MetricKind("Expected calibration error in 15 bins.", _SINGLE_LABEL, "probabilities"),
    "log_loss": MetricKind("Mean negative log-likelihood of what is true.", _SINGLE_LABEL, "probabilities"),
    "perplexity": MetricKind("The exponential of the mean negative log-likelihood.", _MULTICLASS, "probabilities"),
    "bits_per_token": MetricKind(
        "The mean negative log-likelihood in bits: of characters, bits per character.", _MULTICLASS, "probabilities"
    ),
    "exact_match": MetricKind(
        "Share of examples of which every label, or every token, is right; of a text that a network generates: as it "
        "is generated, without the true one, [END] included.",
        ("labels", "tags", "classes", "sequences"),
    ),
    "token_error_rate": MetricKind(
        "Edit distance (Levenshtein 1966) of sequences, or of the texts that a network generates, from the true ones, "
        "in tokens, for each token of the true ones: of characters the character error rate.",
        ("classes", "sequences"),
    ),
    "hamming": MetricKind("Share of labels that are wrong.", ("labels",)),
    "span_precision": MetricKind("Share of the predicted entities that are true: same place, same type.", ("tags",)),
    "span_recall": MetricKind("Share of the true entities that are found: same place, same type.", ("tags",)),
    "span_f1": MetricKind("F1 score of entities: same place, same type.", ("tags",)),
    "edit_distance": MetricKind("Mean number of insertions, deletions and substitutions (Levenshtein).", _SEQUENCES),
    "mae": MetricKind("Mean absolute error.", _REGRESSION),
    "mse": MetricKind("Mean squared error.", _REGRESSION),
    "rmse": MetricKind("Root of the mean squared error.", _REGRESSION),
    "mape": MetricKind("Mean absolute error relative to the target.", _REGRESSION),
    "smape": MetricKind("Symmetric MAPE: mean of 2 |error| / (|target| + |output|), from 0 to 2.", _REGRESSION),
    "r2": MetricKind("Coefficient of determination.", _REGRESSION),
    "explained_variance": MetricKind(
        "Share of the target's variance that is explained, whatever the bias.", _REGRESSION
    ),
    "pearson": MetricKind("Pearson's correlation of output and target.", _REGRESSION),
    "spearman": MetricKind("Spearman's rank correlation of output and target.", _REGRESSION),
    "coverage": MetricKind("Share of targets from the lowest to the highest quantile.", _REGRESSION, "quantiles", 2),
    "interval_width": MetricKind("Mean distance of the lowest and the highest quantile.", _REGRESSION, "quantiles", 2),
    "pinball": MetricKind("Mean pinball loss of the quantiles.", _REGRESSION, "quantiles"),
}
MEDIAN = 0.5
MAX_CLASSES = 1000  # of metrics that count every pair of classes, or keep every score
UNLIMITED_CLASS_METRICS = frozenset(
    {"accuracy", "top5_accuracy", "log_loss", "perplexity", "bits_per_token", "exact_match", "token_error_rate"}
)
GENERATED_METRICS = frozenset({"exact_match", "token_error_rate"})  # of texts, which are run freely
SPAN_METRICS = frozenset({"span_precision", "span_recall", "span_f1"})
NAMES_PATTERN = "^(" + "|".join(family.pattern for family in FAMILIES.values()) + ")$"
IOB_TAG_PATTERN = r"O|[BI](-.+)?"  # a tag of entities


def metric_kind(name: str) -> MetricKind | None:
    """Return the row of a metric; `None` if there is none of this name."""
    settings = parse_metric(name) if name not in METRICS else None
    if isinstance(settings, FBeta):
        tasks: tuple[TaskType, ...] = ("decisions",) if settings.average == "positive" else _CLASSIFICATION
        return MetricKind("The F-beta score.", tasks)
    if settings is not None:
        return MetricKind("Share of examples whose class is among the k most probable.", _MULTICLASS, "scores")
    return METRICS.get(name)


def _validate_metric(name: str, info: ValidationInfo) -> str:
    if metric_kind(name) is None:
        loss = (info.data or {}).get("loss")  # none outside of a model
        known = list(_metrics_of_loss(loss)) if isinstance(loss, BaseLoss) else list(METRICS)
        hint = family_example(name) or did_you_mean(name, known) or choices(known)
        raise validation_error("unknown_value", f'there is no metric "{name[:64]}"', hint)
    return name


def _metrics_of_loss(loss: BaseLoss) -> Iterator[str]:
    """Yield the metrics that go with a loss, whatever its target is."""
    task = loss.row.task_type
    for name, row in METRICS.items():
        if task is None or (task in row.task_types and _gives(loss, row)):
            yield name


def _gives(loss: BaseLoss, metric: MetricKind) -> bool:
    """Return whether outputs of a loss give what a metric requires."""
    quantiles = loss.options.quantiles
    if metric.requires == "quantiles":
        return len(quantiles or ()) >= metric.least_quantiles
    if quantiles:  # a number is compared, which is the median
        return MEDIAN in quantiles
    return metric.requires != "probabilities" or loss.row.gives_probabilities


_NAME_FORMS = [{"type": "string", "enum": list(METRICS)}, {"type": "string", "pattern": NAMES_PATTERN}]
MetricName = Annotated[str, Field(json_schema_extra={"anyOf": _NAME_FORMS})]
Metric = Annotated[
    str,
    AfterValidator(_validate_metric),
    BeforeValidator(metric_name, json_schema_input_type=MetricName | FBeta | TopAccuracy),
]


def is_iob_tag_set(labels: tuple[str, ...] | None) -> bool:
    """Return whether labels are tags of entities: B-PER begins one, I-PER continues it, O is outside."""
    return labels is not None and all(fullmatch(IOB_TAG_PATTERN, label) for label in labels)


def metric_mismatch(name: str, loss: BaseLoss, target: Column) -> tuple[str, str] | None:
    """Return why a metric cannot be reported, and a hint; `None` if it can."""
    task = task_type(loss, target)
    scoring, row = equivalent_loss(loss, target), metric_kind(name)
    assert row is not None  # noqa: S101 - the name was validated
    applicable = [metric for metric, row in METRICS.items() if task in row.task_types and _gives(scoring, row)]
    if not is_iob_tag_set(target.labels):
        applicable = [metric for metric in applicable if metric not in SPAN_METRICS]
    if task == "classes" and target.follows is None:
        applicable = [metric for metric in applicable if metric not in GENERATED_METRICS]
    if name in applicable or (name not in METRICS and task in row.task_types and _gives(scoring, row)):
        return None
    hint = "one of: " + ", ".join(applicable)
    if task not in row.task_types:
        return f"{loss.kind} is about {task}, {name} is not", hint
    return _missing_part(name, loss, target), hint


def metric_warnings(place: str, metrics: Sequence[str], target: Column) -> Iterator[Problem]:
    """Yield a warning for each metric that has its best value whatever the network says."""
    for position, name in enumerate(metrics):
        settings = parse_metric(name) if name not in METRICS else None
        if isinstance(settings, TopAccuracy) and target.classes is not None and settings.k >= target.classes:
            detail = (
                f'"{target.name}" has {target.classes} classes, of which {settings.k} hold the right one: {name} is 1'
            )
            hint = f"use k below {target.classes}" if target.classes > 2 else 'use "accuracy"'
            yield Problem(f"{place}/metrics/{position}", "no_information", detail, hint)


def _missing_part(name: str, loss: BaseLoss, target: Column) -> str:
    """Return what a metric needs that a loss or a target of its task does not have."""
    if name in GENERATED_METRICS and loss.row.task_type != "sequences":
        return f'{name} needs a text with [BEGIN] and [END], and "{target.name}" is none'
    if name in SPAN_METRICS:
        return f'{name} needs tags such as B-PER, I-PER and O, which "{target.name}" does not have'
    if name in METRICS and METRICS[name].requires == "quantiles":
        if loss.options.quantiles:
            return f"{name} is about what lies between two quantiles, and there is one"
        return f"{name} needs quantiles, and {loss.kind} gives none"
    if loss.options.quantiles:
        return f"{name} compares the median, which is not among the quantiles: add {MEDIAN}"
    return f"{name} needs probabilities, and {loss.kind} gives only scores"
