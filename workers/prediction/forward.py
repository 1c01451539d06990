"""Rows through a network: in batches, whose size and other rows do not change the predictions of a row."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from app.errors import DataError, InvalidInput, OutOfMemory, Problem, TrainingError
from app.spec.data.columns import DataSchema
from app.spec.network.generation import GenerationOptions
from app.spec.prediction import PredictionOptions
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns
from workers.data.loading.examples import ExampleSet
from workers.data.rng import step_seed
from workers.network.analysis.dependencies import ROW_COUNT
from workers.prediction.forecasts import last_windows
from workers.prediction.formatting import RowFields
from workers.prediction.generation import TextGenerator, generation_options
from workers.prediction.network import TrainedNetwork
from workers.torch_errors import translate_torch_errors


@dataclass(frozen=True)
class PreparedRows:
    """What the network reads of the rows of a request, and how many predictions there are."""

    inputs: Mapping[str, PreparedColumn]
    count: int
    origins: Sequence[Mapping[str, Any]] | None = None  # of forecasts: the series of each, and the time it begins after


def prepare_rows(trained: TrainedNetwork, split: SplitColumns, count: int) -> PreparedRows:
    """Return the inputs of every row, or of the last window of each series. Raises `InvalidInput`."""
    names = trained.network.blueprint.inputs
    columns = tuple(name for name in names if name != ROW_COUNT)
    inputs: Mapping[str, PreparedColumn]
    origins: Sequence[Mapping[str, Any]] | None = None
    try:
        if trained.windows is None or not columns:
            inputs = trained.preparation.transform(split, columns)
        else:
            schema = DataSchema(columns=tuple(trained.dataset_columns.values()), rows={}, inputs=())
            last = last_windows(trained.preparation, trained.windows, schema, split, columns)
            inputs, origins, count = last.inputs, last.origins, len(last.origins)
    except DataError as error:
        raise InvalidInput([Problem("/rows", error.code, error.detail, error.hint)]) from None
    if ROW_COUNT in names:
        inputs = {**inputs, ROW_COUNT: torch.zeros(count, 1)}
    return PreparedRows(inputs, count, origins)


def predict_rows(trained: TrainedNetwork, prepared: PreparedRows, options: PredictionOptions) -> list[dict[str, Any]]:
    """Return the predictions of every row, by output.

    Raises `InvalidInput` for rows that the network cannot take, `OutOfMemory` if a single row does not fit.
    """
    inputs, count = prepared.inputs, prepared.count
    generation = generation_options(trained.generator, options)
    if trained.generator is not None and generation is not None:
        inputs = trained.generator.prompts(inputs)
    batches = _BatchPredictor(trained, inputs, count, options, generation)
    predictions: list[dict[str, Any]] = [{} for _ in range(count)]
    try:
        for group in _equal_length_groups(inputs, count):
            for batch in group.split(options.batch_size):
                for rows, outputs in _in_memory(batches.predict, batch):
                    for name, fields in outputs.items():
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


class _BatchPredictor:
    """Predicts some of the rows of a request at once."""

    def __init__(
        self,
        trained: TrainedNetwork,
        inputs: Mapping[str, PreparedColumn],
        count: int,
        options: PredictionOptions,
        generation: GenerationOptions | None,
    ) -> None:
        self.trained, self.inputs, self.options = trained, inputs, options
        self.examples = ExampleSet(inputs, {})
        self.generator = trained.generator if generation is not None else None
        self.generation = generation or GenerationOptions()
        self.draws = (
            self.generator.random_numbers(self.generation, count, options.seed) if self.generator is not None else None
        )

    def predict(self, rows: Tensor) -> dict[str, list[RowFields]]:
        """Return the fields of each row, by output.

        Random numbers are a function of the seed and the first row, so that no two batches of a request draw the same.
        """
        trained, generator = self.trained, self.generator
        torch.manual_seed(step_seed(self.options.seed, int(rows[0])))
        values = self.examples.batch(rows, trained.device)[0]
        fields = {} if generator is None else {generator.output: self._generate(generator, values, rows)}
        others = [name for name in trained.formatters if name not in fields]
        outputs = trained.network(values) if others else {}
        for name in others:
            formatter = trained.formatters[name]
            lengths = _sequence_lengths(self.inputs, formatter.aligned_input, rows)
            output = outputs[name] if formatter.decoder is None else formatter.decoder.read(outputs, outputs[name])
            fields[name] = formatter.format(output, self.options, lengths)
        return {name: fields[name] for name in trained.formatters}

    def _generate(self, generator: TextGenerator, values: Mapping[str, Tensor], rows: Tensor) -> list[RowFields]:
        settings = generator.settings_for(self.generation, values[generator.column.name].shape[1])
        draws = {} if self.draws is None else {"draws": self.draws[rows]}
        return generator.generate(self.trained.network, values, {**settings, **draws})


def _sequence_lengths(inputs: Mapping[str, PreparedColumn], name: str | None, rows: Tensor) -> list[int] | None:
    """Return the lengths of rows, without padding, in the input that an output is aligned with."""
    column = inputs.get(name or "")
    return column.lengths[rows].tolist() if isinstance(column, RaggedTensor) else None


def _in_memory(
    predict: Callable[[Tensor], dict[str, list[RowFields]]], rows: Tensor
) -> Iterator[tuple[Tensor, dict[str, list[RowFields]]]]:
    """Yield rows with their predictions; in halves, if all of them do not fit into memory."""
    try:
        with torch.no_grad(), translate_torch_errors():
            outputs = predict(rows)
    except OutOfMemory:
        if len(rows) == 1:
            raise
        outputs = None
    if outputs is not None:
        yield rows, outputs
        return
    for half in rows.split(len(rows) // 2 + len(rows) % 2):
        yield from _in_memory(predict, half)
