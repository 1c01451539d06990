"""Rows through a network: in batches, whose size and company do not change what is told of a row."""

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
    trained: TrainedNetwork, split: SplitColumns, count: int, asked: PredictionOptions
) -> list[dict[str, Any]]:
    """Return what the network says of every row, by output. Raises `InvalidInput` for rows that it cannot take.

    Raises `OutOfMemory` where even a single row does not fit.
    """
    names = trained.network.blueprint.inputs
    try:
        made = trained.preparation.transform(split, names)
    except DataError as error:
        raise InvalidInput([Problem("/rows", error.code, error.detail, error.hint)]) from None
    found: list[dict[str, Any]] = [{} for _ in range(count)]
    try:
        for alike in _equal_length_groups(made, count):
            for rows in alike.split(asked.batch_size):
                for some, outputs in _forward(trained, ExampleSet(made, {}), rows):
                    for name, raw in outputs.items():
                        meaning = trained.decoders[name]
                        told = meaning.decode(raw, asked, _sequence_lengths(made, meaning.aligned_input, some))
                        for row, each in zip(some.tolist(), told, strict=True):
                            found[row][name] = each
    except OutOfMemory:
        raise
    except TrainingError as error:
        detail = f"the network cannot take these rows: {error.detail}"
        raise InvalidInput([Problem("/rows", "run_failed", detail, error.hint)]) from None
    return found


def _equal_length_groups(made: Mapping[str, PreparedColumn], count: int) -> Iterator[Tensor]:
    """Yield the rows that are padded to the same lengths, together, so that no row depends on its company."""
    lengths = [
        column.lengths.clamp(min=column.min_length) for column in made.values() if isinstance(column, RaggedTensor)
    ]
    if not lengths:
        yield torch.arange(count)
        return
    _, group = torch.stack(lengths, 1).unique(dim=0, return_inverse=True)
    order = group.argsort(stable=True)
    yield from order.split(group.bincount().tolist())


def _sequence_lengths(made: Mapping[str, PreparedColumn], name: str | None, rows: Tensor) -> list[int] | None:
    """Return the own lengths of rows, without padding, in the column that an output goes along with."""
    column = made.get(name or "")
    return column.lengths[rows].tolist() if isinstance(column, RaggedTensor) else None


def _forward(trained: TrainedNetwork, rows: ExampleSet, some: Tensor) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield rows with the network's outputs; in halves, where all of them do not fit into memory."""
    try:
        with torch.no_grad(), translate_torch_errors():
            torch.manual_seed(SEED)
            outputs = trained.network(rows.batch(some, trained.device)[0])
    except OutOfMemory:
        if len(some) == 1:
            raise
        outputs = None
    if outputs is not None:
        yield some, outputs
        return
    for half in some.split(len(some) // 2 + len(some) % 2):
        yield from _forward(trained, rows, half)
