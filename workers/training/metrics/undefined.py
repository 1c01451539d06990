"""Metrics that are no number on some held-out rows, whatever a network predicts: told from the targets alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from app.errors import Problem
from app.spec.training.losses import TaskType
from app.spec.training.metric_families import FBeta, parse_metric
from app.spec.training.objective import head_pointer, series_prefix
from app.spec.training.plan import Training
from workers.data.columns import PreparedColumn, RaggedTensor
from workers.training.objective.decode import OutputDecoder
from workers.training.objective.objective import ObjectiveHead

CODE = "undefined_metric"


class UndefinedRule(NamedTuple):
    """A row of a table: whether the targets leave a metric without a value, and what is wrong with them."""

    applies: Callable[[Tensor], bool]
    reason: str


ONE_CLASS = UndefinedRule(lambda target: bool((target == target[0]).all()), "all held-out rows are of one class")
NO_POSITIVES = UndefinedRule(lambda target: not target.any(), "no held-out row is positive")
NO_NEGATIVES = UndefinedRule(lambda target: bool(target.all()), "all held-out rows are positive")
ONE_SIDED = UndefinedRule(
    lambda target: not (target.any(0) & ~target.all(0)).any(), "every label is true of all held-out rows or of none"
)
CONSTANT = UndefinedRule(lambda target: bool((target == target[0]).all()), "all held-out targets are one number")

EMPTY = UndefinedRule(lambda target: not bool((target >= 0).any()), "all held-out sequences are empty")

# By task type and metric; targets are as `known_targets` returns them. A test compares with the metrics themselves.
UNDEFINED_RULES: Mapping[TaskType, Mapping[str, UndefinedRule]] = {
    "classes": dict.fromkeys(("auroc", "mcc", "cohen_kappa"), ONE_CLASS),
    "tags": dict.fromkeys(("auroc", "mcc", "cohen_kappa"), ONE_CLASS),
    "decisions": {
        **dict.fromkeys(("auroc", "mcc", "cohen_kappa"), ONE_CLASS),
        **dict.fromkeys(
            ("average_precision", "precision_positive", "recall_positive", "f1_positive", "iou_positive"), NO_POSITIVES
        ),
        "specificity": NO_NEGATIVES,
    },
    "labels": {
        "auroc": ONE_SIDED,
        "average_precision": NO_POSITIVES,
        "iou": NO_POSITIVES,
        **{
            f"{score}{average}": NO_POSITIVES
            for score in ("precision", "recall", "f1")
            for average in ("", "_micro", "_weighted")
        },
    },
    "numbers": dict.fromkeys(("r2", "explained_variance", "pearson", "spearman"), CONSTANT),
    "sequences": {"token_error_rate": EMPTY},
}


def undefined_rule(task: TaskType, name: str) -> UndefinedRule | None:
    """Return the rule of a metric, if it has any; F-beta has that of F1."""
    settings = parse_metric(name)
    if isinstance(settings, FBeta):
        name = "f1" if settings.average == "macro" else f"f1_{settings.average}"
    return UNDEFINED_RULES[task].get(name)


def undefined_metrics(
    heads: Sequence[ObjectiveHead], targets: Mapping[str, PreparedColumn], plan: Training
) -> Iterator[Problem]:
    """Yield a warning for every metric that has no value on these held-out targets.

    The pointer is that of a monitor of the plan which follows the metric, else that of the metric. Images are not read.
    """
    monitors = {series: pointer for pointer, series in reversed(plan.monitors())}
    for head in heads:
        known = known_targets(head.decoder, targets[head.decoder.target]) if head.decoder is not None else None
        if head.decoder is None or known is None:
            continue
        for place, name in enumerate(head.metrics):
            reason = undefined_reason(known, undefined_rule(head.decoder.task_type, name))
            if reason is not None:
                series = f"val/{series_prefix(head.name)}{name}"
                pointer = monitors.get(series, f"{head_pointer(head.name)}/metrics/{place}")
                yield undefined_warning(series, pointer, reason, series in monitors)


def undefined_reason(target: Tensor, rule: UndefinedRule | None) -> str | None:
    """Return why a metric has no value on these targets; `None` if it has one."""
    if not len(target):
        return "all held-out targets are ignored"
    return rule.reason if rule is not None and rule.applies(target) else None


def undefined_warning(series: str, pointer: str, reason: str, is_monitored: bool) -> Problem:
    """Return the warning of a series without values."""
    hint = "hold out other rows, or leave the metric out"
    detail = f"{series} cannot be measured: {reason}"
    if is_monitored:
        detail += "; what follows it waits, and the job goes on"
        hint = "hold out other rows, or monitor another series, such as val/loss"
    return Problem(pointer, CODE, detail, hint)


def known_targets(decoder: OutputDecoder, column: PreparedColumn) -> Tensor | None:
    """Return the targets that metrics compare, without ignored ones: (M), of labels (N, C); `None` for images."""
    if not isinstance(column, RaggedTensor | Tensor):
        return None
    values = column.values if isinstance(column, RaggedTensor) else column
    if decoder.task_type == "labels":
        return values > decoder.loss.target_threshold
    if decoder.task_type == "sequences":
        return torch.where(torch.eq(values, decoder.blank), -1, values)
    if decoder.task_type in ("classes", "tags"):
        if values.is_floating_point():
            return values.argmax(-1 if decoder.classes_last else 1).flatten()
        return values[torch.ne(values, decoder.ignore_index)]
    values = values[~values.isnan()] if values.is_floating_point() else values.flatten()
    return values > decoder.loss.target_threshold if decoder.task_type == "decisions" else values
