"""Networks with random weights, and checkpoints as workers write them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from app.spec.data.columns import Column, DataSchema
from app.spec.data.environments.environment import environment_schema
from app.spec.job import parse_job, resolve_job_features
from workers.data.columns import SplitColumns
from workers.data.features.preparation import Preparation
from workers.exports.weights import export_weights
from workers.network.codegen.source import write_source
from workers.network.runtime.build import BuiltNetwork, build
from workers.prediction.network import NetworkSource

DIGITS = {
    "model": {"layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}]},
    "data": {"kind": "builtin", "name": "digits"},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
}


def make_schema(columns: Sequence[Mapping[str, Any]], target: str | None = "y", rows: int = 4) -> DataSchema:
    """Return a stored schema: all columns but the target are inputs."""
    parsed = tuple(Column.model_validate(column) for column in columns)
    inputs = tuple(column.name for column in parsed if column.name != target)
    return DataSchema(columns=parsed, rows={"train": rows}, inputs=inputs, target=target)


def make_job(model: Any, loss: Any, **data: Any) -> dict[str, Any]:
    """Return a job on a registered data set."""
    return {
        "model": {"layers": model} if isinstance(model, list) else model,
        "data": {"kind": "dataset", "id": "ds_" + "0" * 32, **data},
        "objective": {"loss": {"kind": loss} if isinstance(loss, str) else loss},
    }


def write_policy(folder: Path, spec: dict[str, Any]) -> tuple[NetworkSource, BuiltNetwork]:
    """Write the public files of a job in an environment; returns what `write_checkpoint` does."""
    data = parse_job(spec).data
    assert data.kind == "environment"
    schema = environment_schema(data)
    rows = {column.name: torch.zeros(1, *column.shape).to(getattr(torch, column.dtype)) for column in schema.columns}
    return write_checkpoint(folder, spec, schema, rows)


def write_checkpoint(
    folder: Path, spec: dict[str, Any], stored: DataSchema, rows: SplitColumns, seed: int = 0
) -> tuple[NetworkSource, BuiltNetwork]:
    """Write a checkpoint's public files, fitted on some rows; returns what to load, and the network."""
    job = parse_job(spec)
    features = resolve_job_features(job, stored)
    assert not features.problems, features.problems
    defaults = job.data.inputs or features.schema.inputs
    names = (*job.model.input_names(defaults), *features.targets.values())
    torch.manual_seed(seed)
    network = build(job.model, features.schema, defaults)
    preparation = Preparation.fit(features, names, stored, rows)
    export_weights({name: value.clone() for name, value in network.state_dict().items()}, write_source(network), folder)
    (folder / "preparation.json").write_text(json.dumps(preparation.document()))
    source = NetworkSource(
        spec, stored.model_dump(mode="json"), folder / "weights.safetensors", folder / "preparation.json"
    )
    return source, network
