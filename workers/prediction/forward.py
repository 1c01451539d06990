"""Rows through a network: in batches, whose size and other rows do not change the predictions of a row."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from app.errors import DataError, InvalidInput, OutOfMemory, Problem, TrainingError
from app.spec.prediction import PredictionOptions
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns
from workers.data.loading.examples import ExampleSet
from workers.prediction.network import TrainedNetwork
from workers.torch_errors import translate_torch_errors

SEED = 0  # of networks that draw random numbers, for every batch anew


def predict_rows(
    trained: TrainedNetwork, split: SplitColumns, count: int, options: PredictionOptions
) -> list[dict[str, Any]]:
    """Return the predictions of every row, by output.

    Raises `InvalidInput` for rows that the network cannot take, `OutOfMemory` if a single row does not fit.
    """
    try:
        inputs = trained.preparation.transform(split, trained.network.blueprint.inputs)
    except DataError as error:
        raise InvalidInput([Problem("/rows", error.code, error.detail, error.hint)]) from None
    predictions: list[dict[str, Any]] = [{} for _ in range(count)]
    try:
        for group in _equal_length_groups(inputs, count):
            for batch in group.split(options.batch_size):
                for rows, outputs in _forward(trained, ExampleSet(inputs, {}), batch):
                    for name, output in outputs.items():
                        formatter = trained.formatters[name]
                        lengths = _sequence_lengths(inputs, formatter.aligned_input, rows)
                        fields = formatter.format(formatter.read(outputs, output), options, lengths)
                        for row, each in zip(rows.tolist(), fields, strict=True):
                            predictions[row][name] = each
    except OutOfMemory:
        raise
    except TrainingError as error:
        detail = f"the network cannot take these rows: {error.detail}"
        raise InvalidInput([Problem("/rows", "run_failed", detail, error.hint)]) from None
    return predictions


def _equal_length_groups(inputs: Mapping[str, PreparedColumn], count: int) -> Iterator[Tensor]:
    """Yield rows that are padded to the same lengths, together, so that no row depends on others."""
    lengths = [
        column.lengths.clamp(min=column.min_length) for column in inputs.values() if isinstance(column, RaggedTensor)
    ]
    if not lengths:
        yield torch.arange(count)
        return
    _, group = torch.stack(lengths, 1).unique(dim=0, return_inverse=True)
    order = group.argsort(stable=True)
    yield from order.split(group.bincount().tolist())


def _sequence_lengths(inputs: Mapping[str, PreparedColumn], name: str | None, rows: Tensor) -> list[int] | None:
    """Return the lengths of rows, without padding, in the input that an output is aligned with."""
    column = inputs.get(name or "")
    return column.lengths[rows].tolist() if isinstance(column, RaggedTensor) else None


def _forward(trained: TrainedNetwork, examples: ExampleSet, rows: Tensor) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield rows with the network's outputs; in halves, if all of them do not fit into memory."""
    try:
        with torch.no_grad(), translate_torch_errors():
            torch.manual_seed(SEED)
            outputs = trained.network(examples.batch(rows, trained.device)[0])
    except OutOfMemory:
        if len(rows) == 1:
            raise
        outputs = None
    if outputs is not None:
        yield rows, outputs
        return
    for half in rows.split(len(rows) // 2 + len(rows) % 2):
        yield from _forward(trained, examples, half)
