"""Trained networks, ready to predict: as much of each as rows alone can feed, with its public weights."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from app.errors import NotPredictable
from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import Column, DataSchema
from app.spec.data.encodings.ngrams_feature import NgramsFeature
from app.spec.data.environments.environment import OBSERVATION, EnvironmentData
from app.spec.data.examples.windows import Windows
from app.spec.data.images.feature import ImageFeature
from app.spec.data.sequence_features import TextFeature
from app.spec.job import parse_job, resolve_job_features
from workers.data.features.preparation import Preparation
from workers.network.analysis.dependencies import prune_to_outputs, with_row_count
from workers.network.analysis.policy import with_observation_wrappers
from workers.network.blueprint import Blueprint
from workers.network.inference.shape_inference import infer_shapes
from workers.network.runtime.build import BuiltNetwork
from workers.prediction.actions import action_formatter
from workers.prediction.formatting import OutputFormatter, output_formatters
from workers.prediction.generation import TextGenerator
from workers.prediction.inputs.rows import RequiredColumn
from workers.prediction.selection import OutputSelection, select_outputs

ALL_OUTPUTS = OutputSelection()


def prediction_device(name: str) -> torch.device:
    """Return the device of predictions. Raises `NotPredictable` if this machine does not have it."""
    if name == "cuda" and not torch.cuda.is_available():
        raise NotPredictable("predictions are set to run on a GPU, and this machine has none")
    return torch.device(name)


@dataclass(frozen=True)
class NetworkSource:
    """Where a trained network comes from: a job as it was sent, the stored schema, and two files of a checkpoint."""

    spec: Mapping[str, Any]
    schema: Mapping[str, Any]
    weights: Path
    preparation: Path


@dataclass(frozen=True)
class TrainedNetwork:
    """A network on its device, how its outputs are written, and the columns that it reads."""

    network: BuiltNetwork
    preparation: Preparation
    required_columns: tuple[RequiredColumn, ...]
    dataset_columns: Mapping[str, Column]  # all columns of the data set; of an environment the observation
    formatters: Mapping[str, OutputFormatter]  # by output
    left_out: Mapping[str, str]  # other outputs, and why
    device: torch.device
    generator: TextGenerator | None = None  # of the output that is a text
    windows: Windows | None = None  # rows are steps of time, and a prediction is of the last window of each series

    @property
    def nbytes(self) -> int:
        """The size of its weights."""
        return sum(tensor.nbytes for tensor in (*self.network.parameters(), *self.network.buffers()))


NetworkKey = tuple[str, OutputSelection]  # of a checkpoint's id


class NetworkCache:
    """Networks by the id of their checkpoint and their selected outputs, at most `limit` bytes together.

    A larger one is kept alone. The least recently used network is dropped first.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[NetworkKey, TrainedNetwork] = {}  # the most recently used one last

    @property
    def nbytes(self) -> int:
        """The size of all networks in the cache."""
        return sum(trained.nbytes for trained in self._entries.values())

    def __contains__(self, key: NetworkKey) -> bool:
        return key in self._entries

    def get(self, key: NetworkKey, size: int, load: Callable[[], TrainedNetwork]) -> TrainedNetwork:
        """Return a network; if it is not in the cache, make room for about `size` bytes and load it."""
        network = self._entries.pop(key, None)
        if network is None:
            while self._entries and self.nbytes + size > self._limit:
                del self._entries[next(iter(self._entries))]
            network = load()
        self._entries[key] = network
        return network


def load_network(
    source: NetworkSource, device: torch.device, selection: OutputSelection = ALL_OUTPUTS
) -> TrainedNetwork:
    """Build as much of a network as the selected outputs need, with its weights.

    Raises `InvalidInput` for a selection that cannot be predicted, and `NotPredictable` if no output depends on rows
    alone, or if the stored files do not fit the job.
    """
    job, stored = parse_job(dict(source.spec)), DataSchema.model_validate(source.schema)
    features = resolve_job_features(job, stored)
    draft = infer_shapes(job.model, features.schema, job.data.inputs or features.schema.inputs)
    columns = {column.name: column for column in stored.columns}
    environment = job.data if isinstance(job.data, EnvironmentData) else None
    whole = with_row_count(draft.blueprint)
    if environment is not None:
        whole = with_observation_wrappers(whole, environment.wrappers)
    experience = columns.keys() - {OBSERVATION} if environment is not None else frozenset()
    losses = {head.output or "" for head in job.objective.all_heads().values()} if environment is not None else set()
    predicted, left_out = select_outputs(draft, whole, features, selection, experience, losses & whole.outputs.keys())
    blueprint = prune_to_outputs(whole, predicted)
    inputs = features.features_for(blueprint.inputs)
    preparation = Preparation.load(features, stored, json.loads(source.preparation.read_text()))
    if inputs.keys() - preparation.preprocessors.keys():
        raise NotPredictable("the checkpoint does not say how rows were prepared")
    generator = _text_generator(blueprint, features.schema, preparation)
    generated = generator.texts.feature.source_columns if generator and generator.texts else ()
    formatters = output_formatters(job, stored, features, preparation, predicted, next(iter(whole.outputs)))
    if environment is not None and environment.action in predicted:
        formatters[environment.action] = action_formatter(environment)
    return TrainedNetwork(
        network=build_with_weights(blueprint, source.weights).to(device),
        preparation=replace(preparation, preprocessors={name: preparation.preprocessors[name] for name in inputs}),
        required_columns=tuple(_required_columns(inputs, stored, features.windows, generated).values()),
        dataset_columns={name: column for name, column in columns.items() if name not in experience},
        formatters=formatters,
        left_out=left_out,
        device=device,
        windows=features.windows,
        generator=generator,
    )


def _text_generator(blueprint: Blueprint, schema: DataSchema, preparation: Preparation) -> TextGenerator | None:
    """Return the node that generates, if the scores of one are an output of the network."""
    node = blueprint.generator
    if node is None or node.free_running is None:
        return None
    arguments, settings = node.free_running.arguments, node.free_running.settings
    scores = f"{node.id}.{node.outputs[arguments['scores']]}"
    sources = (scores, node.id) if arguments["scores"] == 0 else (scores,)
    output = next((name for name, source in blueprint.outputs.items() if source in sources), None)
    column = schema.column(node.inputs[arguments.get("carry", 0)])
    if output is None or column is None:
        return None
    texts = preparation.text_preprocessors().get(column.name)
    return TextGenerator(output, column, texts, settings, node.kind == "Scan")


def build_with_weights(blueprint: Blueprint, weights: Path) -> BuiltNetwork:
    """Return a network in evaluation mode. Raises `NotPredictable` if the weights are not its own."""
    network = BuiltNetwork(blueprint)
    try:
        with safe_open(weights, framework="pt") as content:
            network.load_state_dict({name: content.get_tensor(name) for name in network.state_dict()})
    except (SafetensorError, RuntimeError) as error:
        detail = f"the weights are not those of the network: {' '.join(str(error).split())[:300]}"
        raise NotPredictable(detail) from error
    return network.requires_grad_(False).eval()


def _required_columns(
    features: Mapping[str, BaseFeature], stored: DataSchema, windows: Windows | None, generated: Collection[str] = ()
) -> dict[str, RequiredColumn]:
    """Return the stored columns of which the features are made, by name, and those that order rows in time.

    Where the rows to be predicted are sent too, the columns that are not known there are null. Those of `generated`
    texts may be absent.
    """
    found: dict[str, RequiredColumn] = {}
    for feature in features.values():
        for name in feature.source_columns:
            column = stored.column(name)
            if column is None:
                raise NotPredictable(f'the data set has no column "{name}"')
            before = found.get(name, RequiredColumn(column))
            found[name] = RequiredColumn(
                column,
                before.max_length or feature.max_input_length(column),
                before.is_required or (feature.requires_values and not (windows and windows.known)),
                _takes_any_size(features, column),
                name in generated,
                _is_spelt(features, column),
            )
    for name in windows.columns if windows is not None else ():
        found[name] = RequiredColumn(stored[name], is_required=True)
    return found


def _is_spelt(features: Mapping[str, BaseFeature], column: Column) -> bool:
    """Return whether all features of a column read it as a text."""
    return all(isinstance(feature, TextFeature | NgramsFeature) for feature in _readers(features, column))


def _takes_any_size(features: Mapping[str, BaseFeature], column: Column) -> bool:
    """Return whether all features of a column of images bring them to one size."""
    readers = _readers(features, column)
    return all(isinstance(feature, ImageFeature) and feature.takes_any_size(column) for feature in readers)


def _readers(features: Mapping[str, BaseFeature], column: Column) -> list[BaseFeature]:
    """Return the features that a column is read by."""
    return [feature for feature in features.values() if column.name in feature.source_columns]
