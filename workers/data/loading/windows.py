"""Windows as examples: prepared rows are cut into inputs and targets, and held out by their time.

A window belongs to the role in whose span of time all rows of its horizon lie; one whose horizon crosses a border
belongs to none. Its inputs may reach back over a border: at that time they are known.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.data.examples.windows import FUTURE_SUFFIX, Windows
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.sources import Split
from app.spec.splits import TEST, TRAIN, VALIDATION, SplitPlan
from workers.data.columns import PreparedColumn, SplitColumns, WindowTensor, select_rows
from workers.data.features.preparation import Preparation
from workers.data.loading.examples import ExampleSet, StoredRows, TrainingData
from workers.data.loading.sources import SourceData
from workers.data.loading.splits import latest_rows, time_fold
from workers.data.loading.window_index import WindowIndex

Span = tuple[float, float]  # first <= time < before


def build_windowed_data(
    loaded: SourceData,
    stored: DataSchema,
    resolved: ResolvedFeatures,
    windows: Windows,
    *,
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
    plan: SplitPlan,
    preparation: Preparation | None = None,
    known: Mapping[str, Any] | None = None,
) -> TrainingData:
    """Return the windows of a source for training, validation and test. Raises `DataError`.

    Preprocessors are fitted on the rows before the first border of time, unless a `preparation` is given; or as in
    `known`, see `Preparation.fit`.
    """
    index = WindowIndex.of(loaded.splits[TRAIN], windows, stored)
    spans = role_spans(index.times, plan)
    if preparation is None:
        rows = index.order[index.times < spans[TRAIN][1]].sort().values
        fitted = {name: select_rows(column, rows) for name, column in loaded.splits[TRAIN].items()}
        preparation = Preparation.fit(resolved, windows.feature_names((*inputs, *targets)), stored, fitted, known)
    examples: dict[str, ExampleSet] = {}
    for role, columns, own, starts in _role_windows(loaded, index, spans, plan, stored):
        if not len(starts):
            raise _no_windows(role, own)
        data = window_examples(preparation, columns, own, starts, inputs, targets)
        if role != TRAIN:
            split = next(each for name, each in plan.roles() if name == role).split or TRAIN
            data = with_origins(data, columns, own, starts, split, stored)
        examples[role] = data
    return TrainingData(examples[TRAIN], examples.get(VALIDATION), preparation, examples.get(TEST))


def _role_windows(
    loaded: SourceData, index: WindowIndex, spans: Mapping[str, Span], plan: SplitPlan, stored: DataSchema
) -> Iterator[tuple[str, SplitColumns, WindowIndex, Tensor]]:
    """Yield each role with its table, the windows of that table, and the starts of its own."""
    for role, span in spans.items():
        yield role, loaded.splits[TRAIN], index, index.within(*span)
    for role, split in plan.roles():
        if split.split is not None:
            if split.split not in loaded.splits:
                hint = "upload it again: it was described by an earlier version"
                raise DataError(f"the data has no split {split.split}", pointer=f"/data/{role}", hint=hint)
            own = WindowIndex.of(loaded.splits[split.split], index.windows, stored)
            yield role, loaded.splits[split.split], own, own.starts


def role_spans(times: Tensor, plan: SplitPlan) -> dict[str, Span]:
    """Return the span of time of each role that is taken out of train, and of train itself. Raises `DataError`."""
    before, spans = torch.inf, dict[str, Span]()
    for role, split in sorted(plan.roles(), key=lambda item: item[0] == VALIDATION):
        if split.split is None:
            spans[role] = _held_span(times, times[times < before], split, role, before)
            before = spans[role][0]
    return {TRAIN: (-torch.inf, before), **spans}


def _held_span(times: Tensor, remaining: Tensor, split: Split, role: str, before: float) -> Span:
    if len(remaining.unique()) < 2:
        raise DataError(f"no time remains for the {role}", pointer=f"/data/{role}", hint="hold less of the rows out")
    if split.fold is not None and split.of is not None:
        kept, held = time_fold(remaining, split.fold, split.of)
        if not len(kept) or not len(held):
            detail = f"there are too few different times for {split.of} folds"
            raise DataError(detail, pointer=f"/data/{role}/of", hint="use fewer folds")
        first, last = float(remaining[held].min()), float(remaining[held].max())
        later = remaining[remaining > last]
        return first, float(later.min()) if len(later) else before
    count = min(max(1, round((split.fraction or 0.0) * len(times))), len(remaining) - 1)
    return float(remaining[latest_rows(remaining, count)[1]].min()), before


def _no_windows(role: str, index: WindowIndex) -> DataError:
    windows = index.windows
    detail = (
        f"no window of {windows.length} rows has the {windows.horizon} rows that follow it in the time of {role}: "
        f"there are {len(index.starts):,} windows in {len(index.times):,} rows"
    )
    hint = "make length or horizon smaller" if role == TRAIN else "hold more rows out, or make horizon smaller"
    return DataError(detail, pointer="/data/windows" if role == TRAIN else f"/data/{role}", hint=hint)


def window_examples(
    preparation: Preparation,
    columns: SplitColumns,
    index: WindowIndex,
    starts: Tensor,
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
) -> ExampleSet:
    """Return the windows with these starts as examples. Raises `DataError`."""
    windows = index.windows
    prepared = preparation.transform(columns, windows.feature_names((*inputs, *targets)))
    return ExampleSet(
        window_inputs(windows, prepared, index.order, starts, inputs),
        {name: _targets(windows, prepared[name], index.order, starts) for name in targets},
    )


def window_inputs(
    windows: Windows, prepared: Mapping[str, PreparedColumn], order: Tensor, starts: Tensor, names: tuple[str, ...]
) -> dict[str, PreparedColumn]:
    """Return the inputs of windows by name, (windows, length, …), or (windows, horizon, …) of what is known."""
    future = {name + FUTURE_SUFFIX: name for name in windows.known}
    inputs: dict[str, PreparedColumn] = {}
    for name in names:
        rows = cast(Tensor, prepared[future.get(name, name)])[order]
        is_future = name in future
        first = starts + windows.length if is_future else starts
        inputs[name] = WindowTensor(rows, first, windows.horizon if is_future else windows.length)
    return inputs


def _targets(windows: Windows, column: PreparedColumn, order: Tensor, starts: Tensor) -> Tensor:
    """Return the rows of the horizon: (windows, horizon, …), of a single number per row (windows, horizon)."""
    rows = cast(Tensor, column)[order]
    cut = rows[(starts + windows.length).unsqueeze(1) + torch.arange(windows.horizon)]
    return cut.squeeze(2) if cut.shape[2:] == (1,) else cut


def with_origins(
    examples: ExampleSet, columns: SplitColumns, index: WindowIndex, starts: Tensor, split: str, schema: DataSchema
) -> ExampleSet:
    """Return examples that know the row with which the window of each ends."""
    numbers = index.order[starts + index.windows.length - 1]
    rows = {name: select_rows(column, numbers) for name, column in columns.items()}
    return ExampleSet(examples.inputs, examples.targets, stored=StoredRows.of(split, rows, schema, numbers))


def all_windows(
    preparation: Preparation,
    columns: SplitColumns,
    windows: Windows,
    schema: DataSchema,
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
    split: str,
) -> ExampleSet:
    """Return every window of a table, for the evaluation of another data set. Raises `DataError`."""
    index = WindowIndex.of(columns, windows, schema)
    if not len(index.starts):
        raise _no_windows(split, index)
    examples = window_examples(preparation, columns, index, index.starts, inputs, targets)
    return with_origins(examples, columns, index, index.starts, split, schema)
