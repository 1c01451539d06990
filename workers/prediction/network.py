"""Trained networks, ready to predict: as much of each as rows alone can feed, with its public weights."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from app.errors import NotPredictable
from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import Column, DataSchema
from app.spec.data.examples.windows import Windows
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.images.feature import ImageFeature
from app.spec.job import parse_job, resolve_job_features
from workers.data.features.preparation import Preparation
from workers.network.analysis.dependencies import input_dependencies, prune_to_outputs
from workers.network.blueprint import Blueprint
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE
from workers.network.inference.partial_network import PartialNetwork
from workers.network.inference.shape_inference import infer_shapes
from workers.network.runtime.build import BuiltNetwork
from workers.prediction.formatting import OutputFormatter, output_formatters
from workers.prediction.required_columns import RequiredColumn


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
    dataset_columns: Mapping[str, Column]  # all columns of the data set
    formatters: Mapping[str, OutputFormatter]  # by output
    left_out: Mapping[str, str]  # other outputs, and why
    device: torch.device
    windows: Windows | None = None  # rows are steps of time, and a prediction is of the last window of each series

    @property
    def nbytes(self) -> int:
        """The size of its weights."""
        return sum(tensor.nbytes for tensor in (*self.network.parameters(), *self.network.buffers()))


class NetworkCache:
    """Networks by the id of their checkpoint, at most `limit` bytes together; a larger one is kept alone.

    The least recently used network is dropped first.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[str, TrainedNetwork] = {}  # the most recently used one last

    @property
    def nbytes(self) -> int:
        """The size of all networks in the cache."""
        return sum(trained.nbytes for trained in self._entries.values())

    def __contains__(self, checkpoint: str) -> bool:
        return checkpoint in self._entries

    def get(self, checkpoint: str, size: int, load: Callable[[], TrainedNetwork]) -> TrainedNetwork:
        """Return a network; if it is not in the cache, make room for about `size` bytes and load it."""
        network = self._entries.pop(checkpoint, None)
        if network is None:
            while self._entries and self.nbytes + size > self._limit:
                del self._entries[next(iter(self._entries))]
            network = load()
        self._entries[checkpoint] = network
        return network


def load_network(source: NetworkSource, device: torch.device) -> TrainedNetwork:
    """Build a network with its weights.

    Raises `NotPredictable` if no output depends on rows alone, or if the stored files do not fit the job.
    """
    job, stored = parse_job(dict(source.spec)), DataSchema.model_validate(source.schema)
    features = resolve_job_features(job, stored)
    draft = infer_shapes(job.model, features.schema, job.data.inputs or features.schema.inputs)
    left_out = dict(_left_out_outputs(draft, features))
    outputs = draft.blueprint.outputs
    predicted = tuple(name for name in outputs if name not in left_out)
    if not predicted or draft.problems:
        raise NotPredictable("the network has no output that can be predicted for every row")
    blueprint = prune_to_outputs(draft.blueprint, predicted)
    inputs = features.features_for(blueprint.inputs)
    preparation = Preparation.load(features, stored, json.loads(source.preparation.read_text()))
    if inputs.keys() - preparation.preprocessors.keys():
        raise NotPredictable("the checkpoint does not say how rows were prepared")
    return TrainedNetwork(
        network=build_with_weights(blueprint, source.weights).to(device),
        preparation=Preparation({name: preparation.preprocessors[name] for name in inputs}),
        required_columns=tuple(_required_columns(inputs, stored, features.windows).values()),
        dataset_columns={column.name: column for column in stored.columns},
        formatters=output_formatters(job, stored, features, preparation, predicted, next(iter(outputs))),
        left_out=left_out,
        device=device,
        windows=features.windows,
    )


def _left_out_outputs(draft: PartialNetwork, features: ResolvedFeatures) -> Iterator[tuple[str, str]]:
    """Yield the outputs that cannot be predicted from rows without targets, or for a single row, and why.

    A target counts as an input if it is an input of the data as well, or if every output depends on it.
    """
    blueprint = draft.blueprint
    dependencies = input_dependencies(blueprint)
    targets = (
        set(features.targets.values()) - set(features.schema.inputs) - frozenset.intersection(*dependencies.values())
    )
    if all(names & targets for names in dependencies.values()):
        targets = set()
    for name, source in blueprint.outputs.items():
        shape = draft.values[source].shape if source in draft.values else ()
        if names := sorted(dependencies[name] & targets):
            yield name, f"it depends on {', '.join(names)}, which is to be learned"
        elif not shape or shape[0] != SYMBOLIC_BATCH_SIZE:
            yield name, "it is about a whole batch, and not about every row"


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
    features: Mapping[str, BaseFeature], stored: DataSchema, windows: Windows | None
) -> dict[str, RequiredColumn]:
    """Return the stored columns of which the features are made, by name, and those that order rows in time.

    Where the rows to be predicted are sent too, the columns that are not known there are null.
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
            )
    for name in windows.columns if windows is not None else ():
        found[name] = RequiredColumn(stored[name], is_required=True)
    return found


def _takes_any_size(features: Mapping[str, BaseFeature], column: Column) -> bool:
    """Return whether all features of a column of images bring them to one size."""
    readers = [feature for feature in features.values() if column.name in feature.source_columns]
    return all(isinstance(feature, ImageFeature) and feature.takes_any_size(column) for feature in readers)
