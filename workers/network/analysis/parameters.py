"""The parameters and buffers of a network by their names in `state_dict`, told from its blueprint."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import torch
from torch import nn

from workers.network.blueprint import Blueprint, Settled
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import Control
from workers.network.kinds.leaves import Leaf
from workers.network.kinds.modules import Module

NORMS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
    nn.LayerNorm, nn.GroupNorm, nn.RMSNorm,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter. `name` is its first one: parts that are shared have several."""

    name: str
    shape: tuple[int, ...]
    plain: bool  # a bias, or of a normalisation

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


@dataclass
class Census:
    """All parameters and buffers by all their names, and the paths of all nodes and their parts."""

    weights: dict[str, Weight] = field(default_factory=dict)
    buffers: dict[str, tuple[int, ...]] = field(default_factory=dict)  # shapes
    paths: set[str] = field(default_factory=set)

    def add(self, inner: "Census", path: str, first: str) -> None:
        """Add what lies at `path`, whose parameters are called as if it lay at `first`."""
        self.paths.add(path)
        self.paths.update(f"{path}.{name}" for name in inner.paths)
        for name, weight in inner.weights.items():
            self.weights[f"{path}.{name}"] = replace(weight, name=f"{first}.{weight.name}")
        self.buffers.update({f"{path}.{name}": shape for name, shape in inner.buffers.items()})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of everything in the `state_dict`."""
        return {name: weight.shape for name, weight in self.weights.items()} | self.buffers


def census(blueprint: Blueprint) -> Census:
    """Return the census of a network."""
    return _Counter().body(blueprint)


class _Counter:
    """Counts; what is built alike is counted once."""

    def __init__(self) -> None:
        self._modules: dict[Any, Census] = {}
        self._bodies: dict[int, Census] = {}

    def body(self, blueprint: Blueprint) -> Census:
        """Return the census of a body."""
        if id(blueprint) not in self._bodies:
            found = Census()
            shared: dict[str, str] = {}
            for node in blueprint.nodes:
                self._node(node, found, shared.setdefault(node.share, node.id) if node.share else node.id)
            self._bodies[id(blueprint)] = found
        return self._bodies[id(blueprint)]

    def _node(self, node: Settled, found: Census, first: str) -> None:
        row = CATALOG[node.kind]
        found.paths.add(node.id)
        if isinstance(row, Leaf) and row.place == "parameter":
            found.weights[node.id] = Weight(node.id, tuple(node.parameters["shape"]), "bias" in node.id)
        elif isinstance(row, Leaf) and row.place == "buffer":
            found.buffers[node.id] = tuple(node.parameters["shape"])
        elif isinstance(row, Module):
            found.add(self._module(node, row), node.id, first)
        elif isinstance(row, Control) and row.function is None:
            found.add(self.body(node.bodies["name"]), node.id, first)
        elif isinstance(row, Control):
            for name, body in node.bodies.items():
                found.add(self.body(body), f"{node.id}.{name}", f"{first}.{name}")

    def _module(self, node: Settled, row: Module) -> Census:
        key = (node.kind, tuple(node.parameters.items()))
        if key not in self._modules:
            with torch.device("meta"):
                module = row.module(node.parameters)
            paths = {path for path, _ in module.named_modules() if path}
            weights = dict(_weights(module))
            buffers = {name: tuple(value.shape) for name, value in module.state_dict().items() if name not in weights}
            self._modules[key] = Census(weights, buffers, paths)
        return self._modules[key]


def _weights(module: nn.Module) -> Iterator[tuple[str, Weight]]:
    of_norms = {each for part in module.modules() if isinstance(part, NORMS) for each in part.parameters()}
    for name, parameter in module.named_parameters():
        plain = parameter in of_norms or "bias" in name.rpartition(".")[2]
        yield name, Weight(name, tuple(parameter.shape), plain)
