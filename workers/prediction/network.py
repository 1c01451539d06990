"""A trained network, ready to answer: as much of it as rows alone can feed, with its public weights."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from app.errors import NotPredictable
from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import View, sources
from app.spec.job import job_view, parse_job
from workers.data.features.preparation import Preparation
from workers.network.analysis.dependencies import needed, read_by
from workers.network.blueprint import Blueprint
from workers.network.inference.partial_network import Draft
from workers.network.inference.shape_inference import draft
from workers.network.inference.sizes import BATCH
from workers.network.runtime.build import BuiltNetwork
from workers.prediction.columns import Wanted
from workers.prediction.heads import meanings
from workers.prediction.meaning import Meaning


@dataclass(frozen=True)
class Source:
    """What a trained network is made of: a job as it was sent, the stored schema, and two files of a checkpoint."""

    spec: Mapping[str, Any]
    schema: Mapping[str, Any]
    weights: Path
    preparation: Path


@dataclass(frozen=True)
class Trained:
    """A network on its device, what its outputs mean, and the columns that it needs."""

    network: BuiltNetwork
    preparation: Preparation
    wanted: tuple[Wanted, ...]
    known: Mapping[str, Column]  # all columns of the data set
    meanings: Mapping[str, Meaning]  # by output
    left_out: Mapping[str, str]  # other outputs, and why
    device: torch.device

    @property
    def nbytes(self) -> int:
        """The size of its weights."""
        return sum(tensor.nbytes for tensor in (*self.network.parameters(), *self.network.buffers()))


def load(source: Source, device: torch.device) -> Trained:
    """Build and fill the network. Raises `NotPredictable` where it tells nothing of rows, or what is stored misfits."""
    job, stored = parse_job(dict(source.spec)), DataSchema.model_validate(source.schema)
    seen = job_view(job, stored)
    drafted = draft(job.model, seen.schema, job.data.inputs or seen.schema.inputs)
    left_out = dict(_left_out(drafted, seen))
    outputs = drafted.blueprint.outputs
    kept = tuple(name for name in outputs if name not in left_out)
    if not kept or drafted.problems:
        raise NotPredictable("the network has no output that tells something of every row")
    blueprint = needed(drafted.blueprint, kept)
    features = seen.needed(blueprint.inputs)
    whole = Preparation.load(seen, stored, json.loads(source.preparation.read_text()))
    if features.keys() - whole.preparers.keys():
        raise NotPredictable("the checkpoint does not say how rows were prepared")
    return Trained(
        network=_filled(blueprint, source.weights).to(device),
        preparation=Preparation({name: whole.preparers[name] for name in features}),
        wanted=tuple(_wanted(features, stored).values()),
        known={column.name: column for column in stored.columns},
        meanings=meanings(job, stored, seen, whole, kept, next(iter(outputs))),
        left_out=left_out,
        device=device,
    )


def _left_out(drafted: Draft, seen: View) -> Iterator[tuple[str, str]]:
    """Yield the outputs that cannot be told of rows without targets, or of a single row, and why.

    A target that is an input of the data as well, or that every output depends on, is asked for as inputs are.
    """
    blueprint = drafted.blueprint
    reads = read_by(blueprint)
    targets = set(seen.targets.values()) - set(seen.schema.inputs) - frozenset.intersection(*reads.values())
    if all(names & targets for names in reads.values()):
        targets = set()
    for name, source in blueprint.outputs.items():
        shape = drafted.values[source].shape if source in drafted.values else ()
        if names := sorted(reads[name] & targets):
            yield name, f"it depends on {', '.join(names)}, which is to be learned"
        elif not shape or shape[0] != BATCH:
            yield name, "it is about a whole batch, and not about every row"


def _filled(blueprint: Blueprint, weights: Path) -> BuiltNetwork:
    network = BuiltNetwork(blueprint)
    try:
        with safe_open(weights, framework="pt") as content:
            network.load_state_dict({name: content.get_tensor(name) for name in network.state_dict()})
    except (SafetensorError, RuntimeError) as error:
        detail = f"the weights are not those of the network: {' '.join(str(error).split())[:300]}"
        raise NotPredictable(detail) from error
    return network.requires_grad_(False).eval()


def _wanted(features: Mapping[str, Any], stored: DataSchema) -> dict[str, Wanted]:
    """Return the stored columns of which the features are made, by name."""
    found: dict[str, Wanted] = {}
    for part in features.values():
        for name in sources(part):
            column = stored.column(name)
            if column is None:
                raise NotPredictable(f'the data set has no column "{name}"')
            before = found.get(name, Wanted(column))
            needed_here = getattr(part, "missing", None) == "refuse"
            found[name] = Wanted(column, before.longest or _longest(part, column), before.needed or needed_here)
    return found


def _longest(part: Any, column: Column) -> int | None:
    """Return the largest length that a value may have; `None` where the end of longer ones is cut off."""
    return None if part.kind == "series" and part.max_length is not None else column.longest
