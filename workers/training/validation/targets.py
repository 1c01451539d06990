"""Targets that teach nothing, and metrics that cannot be measured, as far as a data set's description tells them.

The rest is told when an attempt has read the data, see `workers.training.metrics.undefined`.
"""

from collections.abc import Iterator, Mapping

import torch

from app.errors import Problem
from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.job import JobSpec
from app.spec.training.losses import task_type
from app.spec.training.objective import head_pointer, series_prefix
from workers.training.metrics.undefined import UNDEFINED_RULES, undefined_warning
from workers.training.validation.batch_sizes import known_validation_rows

SINGLE_ROW = torch.ones(1, 1)  # as targets of one label, or one number


def target_warnings(
    job: JobSpec, stored: DataSchema, resolved: ResolvedFeatures, targets: Mapping[str, Column | None]
) -> Iterator[Problem]:
    """Yield warnings of targets that are all alike, and of metrics that one held-out row cannot be measured by.

    `targets` are the columns that heads are compared with, after the features.
    """
    for name, head in job.objective.all_heads().items():
        target = targets[name]
        if target is None:
            continue
        source = _stored_column(stored, resolved, target)
        if source is not None and (value := _only_value(source)) is not None:
            place = f"{head_pointer(name)}/target" if head.target else "/data/target"
            detail = f'every row of "{source.name}" is {value}: whoever always answers that is right'
            yield Problem(place, "constant_target", detail, "name another target, or add rows of other values")
        if known_validation_rows(job, stored.rows) == 1:
            yield from _single_row_warnings(job, name, target)


def _single_row_warnings(job: JobSpec, name: str, target: Column) -> Iterator[Problem]:
    monitors = {series: pointer for pointer, series in reversed(job.training.monitors())}
    head = job.objective.all_heads()[name]
    rules = UNDEFINED_RULES[task_type(head.loss, target)]
    for place, metric in enumerate(head.metrics):
        if (rule := rules.get(metric)) is not None and rule.applies(SINGLE_ROW > 0):
            series = f"val/{series_prefix(name)}{metric}"
            pointer = monitors.get(series, f"{head_pointer(name)}/metrics/{place}")
            yield undefined_warning(series, pointer, "a single row is held out", series in monitors)


def _stored_column(stored: DataSchema, resolved: ResolvedFeatures, target: Column) -> Column | None:
    """Return the stored column that a target is made of; `None` if it is made of several."""
    sources = [source for part in resolved.features_for([target.name]).values() for source in part.source_columns]
    return stored.column(sources[0]) if len(sources) == 1 else None


def _only_value(column: Column) -> str | None:
    """Return the value that every row has, in words; `None` if there are several, or if it is not known."""
    if column.missing:
        return None
    if column.labels is not None and column.type in ("number", "category"):
        return column.labels[0] if len(column.labels) == 1 else None
    statistics = column.statistics or {}
    least, most = statistics.get("min"), statistics.get("max")
    if isinstance(least, int | float) and least == most:
        return f"{least:g}"
    return "0" if column.classes == 1 and column.type == "tensor" else None
