"""Edits for the tests: from JSON to revisions of small jobs."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.data.columns import Column, DataSchema
from app.spec.edits.operations import Operation
from workers.network.runtime.build import BuiltNetwork
from workers.surgery.draft import Change, Revision, open_draft
from workers.surgery.initial_values import draw
from workers.surgery.revise import revise

OPERATIONS = TypeAdapter[tuple[Operation, ...]](tuple[Operation, ...])
IMAGES = DataSchema(
    columns=(
        Column(name="image", shape=(2, 6, 6), dtype="float32"),
        Column(name="label", shape=(), dtype="int64", classes=3),
    ),
    rows={"train": 8},
    inputs=("image",),
    target="label",
)
CHAIN = [
    {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1},
    "ReLU",
    {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1},
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 3},
]


def image_job(model: Any, **parts: Any) -> dict[str, Any]:
    """Return a job that classifies images by a network, or by a chain of layers."""
    network = {"layers": model} if isinstance(model, list) else model
    return {
        "model": network,
        "data": {"kind": "dataset", "id": "ds_" + "0" * 32},
        "objective": {"loss": "CrossEntropyLoss"},
        **parts,
    }


def edit(job: Mapping[str, Any], *operations: Any, schema: DataSchema = IMAGES) -> Revision:
    """Return the next revision of a job."""
    return revise(job, schema, OPERATIONS.validate_python(operations))


def network_job(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job with a network whose output is its own loss, so that any shape will do."""
    return image_job(dict(model)) | {"objective": {"loss": "Output"}}


def build_job(job: Mapping[str, Any], schema: DataSchema, seed: int = 0) -> BuiltNetwork:
    """Return the network of a job, with weights drawn from a seed, in evaluation."""
    torch.manual_seed(seed)
    return BuiltNetwork(open_draft(job, schema).infer().blueprint).eval()


def apply_changes(network: BuiltNetwork, revision: Revision, seed: int = 0, number: int = 1) -> BuiltNetwork:
    """Return the network of a revision whose tensors come from a network, in evaluation: whole tensors, or new ones."""
    for change in revision.changes:
        before, drawn = network.state_dict(), initial_tensors(change, seed, number)
        network = BuiltNetwork(change.blueprint)
        assert not any(source.axes for source in change.tensors.values())
        tensors = {
            name: drawn[name] if source.name is None else before[source.name] for name, source in change.tensors.items()
        }
        network.load_state_dict(tensors, strict=True)
    return network.eval()


def initial_tensors(change: Change, seed: int, number: int) -> dict[str, Tensor]:
    """Return the tensors that a change adds."""
    fills = {name: source.fill for name, source in change.tensors.items() if source.name is None}
    return draw(change.blueprint, fills, seed, number)


def largest_difference(network: BuiltNetwork, other: BuiltNetwork, values: Mapping[str, Tensor]) -> float:
    """Return the largest difference of outputs, relative to the largest value of an output."""
    with torch.no_grad():
        outputs, others = network(values), other(values)
    assert outputs.keys() == others.keys()
    differences = [0.0]
    for name, value in outputs.items():
        scale = float(value.double().abs().max()) or 1.0
        differences.append(float((value.double() - others[name].double()).abs().max()) / scale)
    return max(differences)


def problems_of(job: Mapping[str, Any], *operations: Any, schema: DataSchema = IMAGES) -> list[Problem]:
    """Return the problems of an edit."""
    try:
        edit(job, *operations, schema=schema)
    except InvalidInput as error:
        return list(error.problems)
    return []
