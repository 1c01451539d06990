"""Metrics that cannot be measured, as far as the number of held-out rows tells it.

The rest is told when an attempt has read the data, see `workers.training.metrics.undefined`.
"""

from collections.abc import Iterator, Mapping

import torch

from app.errors import Problem
from app.spec.data.columns import Column, DataSchema
from app.spec.job import JobSpec
from app.spec.training.losses import task_type
from app.spec.training.objective import head_pointer, series_prefix
from workers.training.metrics.undefined import UNDEFINED_RULES, undefined_warning
from workers.training.validation.batch_sizes import known_validation_rows

SINGLE_ROW = torch.ones(1, 1, dtype=torch.bool)  # as targets of one label


def held_out_warnings(job: JobSpec, stored: DataSchema, targets: Mapping[str, Column | None]) -> Iterator[Problem]:
    """Yield a warning for every metric that a single held-out row leaves without a value.

    `targets` are the columns that heads are compared with.
    """
    if known_validation_rows(job, stored.rows) != 1:
        return
    monitors = {series: pointer for pointer, series in reversed(job.training.monitors())}
    for name, head in job.objective.all_heads().items():
        target = targets[name]
        rules = UNDEFINED_RULES[task_type(head.loss, target)] if target is not None else {}
        for place, metric in enumerate(head.metrics):
            if (rule := rules.get(metric)) is not None and rule.applies(SINGLE_ROW):
                series = f"val/{series_prefix(name)}{metric}"
                pointer = monitors.get(series, f"{head_pointer(name)}/metrics/{place}")
                yield undefined_warning(series, pointer, "a single row is held out", series in monitors)
