"""From the columns of a source to the examples of each role: rows, or windows of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from app.spec.data.columns import DataSchema
from app.spec.data.examples.sampling import Sampling
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.splits import TRAIN, SplitPlan
from workers.data.columns import PreparedColumn
from workers.data.features.preparation import Preparation
from workers.data.images.column import ImageColumn
from workers.data.loading.examples import ExampleSet, StoredRows, TrainingData
from workers.data.loading.sources import SourceData
from workers.data.loading.splits import split_source
from workers.data.loading.weights import sampling_weights
from workers.data.loading.windows import build_windowed_data

ROW_NUMBERS = ""  # a column beside those of the data, none of which has this name


def separate_views(preparation: Preparation, inputs: Mapping[str, PreparedColumn]) -> dict[str, PreparedColumn]:
    """Return inputs of which those that read the same images draw random numbers of their own, by their names' order.

    Inputs of unlike columns, and targets, get the numbers of the first: they are changed alike.
    """
    views: Counter[str] = Counter()
    separated = dict(inputs)
    for name, column in sorted(inputs.items()):
        if isinstance(column, ImageColumn):
            [source] = preparation.preprocessors[name].feature.source_columns
            separated[name] = replace(column, view=views[source])
            views[source] += 1
    return separated


def build_training_data(
    loaded: SourceData,
    stored: DataSchema,
    resolved: ResolvedFeatures,
    *,
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
    plan: SplitPlan,
    seed: int = 0,
    preparation: Preparation | None = None,
    known: Mapping[str, Any] | None = None,
    sampling: Sampling | None = None,
) -> TrainingData:
    """Return the columns of a source as examples for training, validation and test. Raises `DataError`.

    Preprocessors are fitted on the training rows, unless a `preparation` is given; or as in `known`, see
    `Preparation.fit`.
    """
    if resolved.windows is not None:
        windows = resolved.windows
        return build_windowed_data(
            loaded,
            stored,
            resolved,
            windows,
            inputs=inputs,
            targets=targets,
            plan=plan,
            preparation=preparation,
            known=known,
        )
    numbered = {
        split: {**columns, ROW_NUMBERS: torch.arange(len(next(iter(columns.values()))))}
        for split, columns in loaded.splits.items()
    }
    roles = split_source(numbered, plan, seed)
    sources = {role: split.split or TRAIN for role, split in plan.roles()}
    names = (*inputs, *targets)
    if preparation is None:
        preparation = Preparation.fit(resolved, names, stored, roles["train"], known)
    examples: dict[str, ExampleSet] = {}
    for role, split in roles.items():
        columns = preparation.transform(split, names)
        stored_rows = None
        if role != TRAIN:
            own = {name: column for name, column in split.items() if name != ROW_NUMBERS}
            stored_rows = StoredRows.of(sources[role], own, stored, cast(Tensor, split[ROW_NUMBERS]))
        read = separate_views(preparation, {name: columns[name] for name in inputs})
        examples[role] = ExampleSet(read, {name: columns[name] for name in targets}, stored=stored_rows)
    weights = sampling_weights(sampling, roles[TRAIN], plan.class_column) if sampling is not None else None
    return TrainingData(examples["train"], examples.get("validation"), preparation, examples.get("test"), weights)
