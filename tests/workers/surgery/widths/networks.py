"""Small networks whose widths change, and the application of tensor maps to their weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from app.spec.data.columns import Column, DataSchema
from tests.workers.surgery.edits import OPERATIONS
from workers.network.runtime.build import BuiltNetwork
from workers.surgery.draft import Change, Revision, Weights, open_draft
from workers.surgery.revise import revise
from workers.surgery.tensor_map import NEW, TensorSource

EXAMPLES = 4
INPUTS: Mapping[str, Column] = {
    "image": Column(name="image", shape=(3, 8, 8), dtype="float32"),
    "volume": Column(name="volume", shape=(2, 4, 4, 4), dtype="float32"),
    "signal": Column(name="signal", shape=(3, 12), dtype="float32"),
    "steps": Column(name="steps", shape=(6, 5), dtype="float32"),
    "vector": Column(name="vector", shape=(10,), dtype="float32"),
    "other": Column(name="other", shape=(7,), dtype="float32"),
    "words": Column(name="words", shape=(6,), dtype="int64", classes=9),
    "lengths": Column(name="lengths", shape=(), dtype="int64"),
    "children": Column(name="children", shape=(3, 2), dtype="int64"),
    "nodes": Column(name="nodes", shape=(3, 5), dtype="float32"),
    "flag": Column(name="flag", shape=(), dtype="bool"),
}


def schema_of(inputs: tuple[str, ...]) -> DataSchema:
    """Return the schema of data with these columns and a class to predict."""
    columns = (*(INPUTS[name] for name in inputs), Column(name="label", shape=(), dtype="int64", classes=3))
    return DataSchema(columns=columns, rows={"train": 8}, inputs=inputs, target="label")


def batch(inputs: tuple[str, ...]) -> dict[str, Tensor]:
    """Return random examples."""
    generator = torch.Generator().manual_seed(7)
    values: dict[str, Tensor] = {}
    for name in inputs:
        column = INPUTS[name]
        shape = (EXAMPLES, *column.shape)
        if name == "children":
            values[name] = torch.tensor([[1, 2], [-1, -1], [-1, -1]]).expand(EXAMPLES, 3, 2).contiguous()
        elif column.dtype == "int64":
            values[name] = torch.randint(1, 6, shape, generator=generator)
        elif column.dtype == "bool":
            values[name] = torch.rand(shape, generator=generator) > 0.5
        else:
            values[name] = torch.randn(shape, generator=generator)
    return values


def job_of(model: Any, inputs: tuple[str, ...]) -> dict[str, Any]:
    """Return a job: of a network, or of a chain of layers."""
    network = {"layers": model} if isinstance(model, list) else model
    return {
        "model": {"inputs": list(inputs), **network},
        "data": {"kind": "dataset", "id": "ds_" + "0" * 32},
        "objective": {"loss": "CrossEntropyLoss"},
    }


def built(job: Mapping[str, Any], schema: DataSchema) -> BuiltNetwork:
    """Return a network with random weights, biases and statistics, in evaluation mode."""
    return randomized(BuiltNetwork(open_draft(job, schema).infer().blueprint))


def randomized(network: BuiltNetwork) -> BuiltNetwork:
    """Return the network with random weights, biases and statistics, in evaluation mode."""
    generator = torch.Generator().manual_seed(3)
    for name, value in network.state_dict().items():
        if value.dtype == torch.float32:
            drawn = torch.randn(value.shape, generator=generator)
            value.copy_(drawn.abs() + 0.5 if name.endswith("var") else drawn * 0.4)
    return network.eval()


def revision_of(
    job: Mapping[str, Any], schema: DataSchema, *operations: Any, weights: Weights | None = None, **choices: Any
) -> Revision:
    """Return the next revision of a job."""
    return revise(job, schema, OPERATIONS.validate_python(operations), weights=weights, **choices)


@dataclass(frozen=True)
class NetworkWeights:
    """The weights and gradients of a network."""

    network: BuiltNetwork

    def weight(self, name: str) -> Tensor:
        return self.network.state_dict()[name]

    def gradient(self, name: str) -> Tensor:
        gradient = dict(self.network.named_parameters(remove_duplicate=False))[name].grad
        assert gradient is not None
        return gradient

    def after(self, change: Change) -> "NetworkWeights":
        network = BuiltNetwork(change.blueprint)
        before, new = self.network.state_dict(), network.state_dict()
        network.load_state_dict({name: mapped_tensor(change.tensors[name], before, new[name]) for name in new})
        return NetworkWeights(network)


def mapped_tensor(source: TensorSource, old: Mapping[str, Tensor], new: Tensor, power: int = 0) -> Tensor:
    """Return a tensor of the changed network; `power` is that of gradients in it, 0 for weights, where `new` fills."""
    if source.name is None:
        return torch.zeros_like(new) if power or source.fill == "zero" else new
    value, missing = old[source.name], torch.zeros(new.shape, dtype=torch.bool)
    for axis in source.axes:
        indices = torch.tensor(axis.indices)
        value = value.index_select(axis.axis, indices.clamp(min=0))
        sizes = [-1 if place == axis.axis else 1 for place in range(new.ndim)]
        missing |= (indices == NEW).view(sizes)
        factors = axis.gradient_factors if power else axis.weight_factors
        if factors is not None:
            value = value * torch.tensor(factors, dtype=value.dtype).view(sizes) ** (power or 1)
    if power or source.fill == "zero":
        new = torch.zeros_like(new)
    elif source.fill == "mean":
        new = old[source.name].mean(0, keepdim=True).expand_as(new)
    return torch.where(missing, new, value)


def mapped_network(network: BuiltNetwork, changes: tuple[Change, ...]) -> BuiltNetwork:
    """Return the network after changes, in evaluation mode."""
    for change in changes:
        changed = BuiltNetwork(change.blueprint).eval()
        if any(value.dtype == torch.float64 for value in network.state_dict().values()):
            changed.double()
        old, new = network.state_dict(), changed.state_dict()
        assert change.tensors.keys() == new.keys()
        changed.load_state_dict({name: mapped_tensor(change.tensors[name], old, new[name]) for name in new})
        network = changed
    return network


def largest_difference(first: BuiltNetwork, second: BuiltNetwork, inputs: tuple[str, ...]) -> float:
    """Return the largest difference of outputs, relative to their scale."""
    with torch.no_grad():
        left, right = first(batch(inputs)), second(batch(inputs))
        right = {
            name: value[:, : left[name].shape[1]] for name, value in right.items()
        }  # of a network with new classes
    return max(float((left[name] - right[name]).abs().max() / left[name].abs().max().clamp(min=1e-6)) for name in left)
