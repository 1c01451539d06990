"""A trained network, ready to answer: as much of it as rows alone can feed, with its public weights."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from app.errors import NotPredictable
from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.job import parse_job, resolve_job_features
from workers.data.features.preparation import Preparation
from workers.network.analysis.dependencies import input_dependencies, prune_to_outputs
from workers.network.blueprint import Blueprint
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE
from workers.network.inference.partial_network import PartialNetwork
from workers.network.inference.shape_inference import infer_shapes
from workers.network.runtime.build import BuiltNetwork
from workers.prediction.heads import prediction_decoders
from workers.prediction.meaning import PredictionDecoder
from workers.prediction.required_columns import RequiredColumn


@dataclass(frozen=True)
class NetworkSource:
    """What a trained network is made of: a job as it was sent, the stored schema, and two files of a checkpoint."""

    spec: Mapping[str, Any]
    schema: Mapping[str, Any]
    weights: Path
    preparation: Path


@dataclass(frozen=True)
class TrainedNetwork:
    """A network on its device, what its outputs mean, and the columns that it needs."""

    network: BuiltNetwork
    preparation: Preparation
    required_columns: tuple[RequiredColumn, ...]
    dataset_columns: Mapping[str, Column]  # all columns of the data set
    decoders: Mapping[str, PredictionDecoder]  # by output
    left_out: Mapping[str, str]  # other outputs, and why
    device: torch.device

    @property
    def nbytes(self) -> int:
        """The size of its weights."""
        return sum(tensor.nbytes for tensor in (*self.network.parameters(), *self.network.buffers()))


def load_network(source: NetworkSource, device: torch.device) -> TrainedNetwork:
    """Build and fill the network. Raises `NotPredictable` where it tells nothing of rows, or what is stored misfits."""
    job, stored = parse_job(dict(source.spec)), DataSchema.model_validate(source.schema)
    seen = resolve_job_features(job, stored)
    drafted = infer_shapes(job.model, seen.schema, job.data.inputs or seen.schema.inputs)
    left_out = dict(_left_out_outputs(drafted, seen))
    outputs = drafted.blueprint.outputs
    kept = tuple(name for name in outputs if name not in left_out)
    if not kept or drafted.problems:
        raise NotPredictable("the network has no output that tells something of every row")
    blueprint = prune_to_outputs(drafted.blueprint, kept)
    features = seen.features_for(blueprint.inputs)
    whole = Preparation.load(seen, stored, json.loads(source.preparation.read_text()))
    if features.keys() - whole.preprocessors.keys():
        raise NotPredictable("the checkpoint does not say how rows were prepared")
    return TrainedNetwork(
        network=_build_with_weights(blueprint, source.weights).to(device),
        preparation=Preparation({name: whole.preprocessors[name] for name in features}),
        required_columns=tuple(_required_columns(features, stored).values()),
        dataset_columns={column.name: column for column in stored.columns},
        decoders=prediction_decoders(job, stored, seen, whole, kept, next(iter(outputs))),
        left_out=left_out,
        device=device,
    )


def _left_out_outputs(drafted: PartialNetwork, seen: ResolvedFeatures) -> Iterator[tuple[str, str]]:
    """Yield the outputs that cannot be told of rows without targets, or of a single row, and why.

    A target that is an input of the data as well, or that every output depends on, is asked for as inputs are.
    """
    blueprint = drafted.blueprint
    reads = input_dependencies(blueprint)
    targets = set(seen.targets.values()) - set(seen.schema.inputs) - frozenset.intersection(*reads.values())
    if all(names & targets for names in reads.values()):
        targets = set()
    for name, source in blueprint.outputs.items():
        shape = drafted.values[source].shape if source in drafted.values else ()
        if names := sorted(reads[name] & targets):
            yield name, f"it depends on {', '.join(names)}, which is to be learned"
        elif not shape or shape[0] != SYMBOLIC_BATCH_SIZE:
            yield name, "it is about a whole batch, and not about every row"


def _build_with_weights(blueprint: Blueprint, weights: Path) -> BuiltNetwork:
    network = BuiltNetwork(blueprint)
    try:
        with safe_open(weights, framework="pt") as content:
            network.load_state_dict({name: content.get_tensor(name) for name in network.state_dict()})
    except (SafetensorError, RuntimeError) as error:
        detail = f"the weights are not those of the network: {' '.join(str(error).split())[:300]}"
        raise NotPredictable(detail) from error
    return network.requires_grad_(False).eval()


def _required_columns(features: Mapping[str, BaseFeature], stored: DataSchema) -> dict[str, RequiredColumn]:
    """Return the stored columns of which the features are made, by name."""
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
                before.is_required or feature.requires_values,
            )
    return found
