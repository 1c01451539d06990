"""The parameters and buffers of a network by their names in `state_dict`, derived from its blueprint."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from torch import nn

from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.inference.input_checks import META
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import ControlKind
from workers.network.kinds.leaves import LeafKind
from workers.network.kinds.module_kind import ModuleKind
from workers.network.kinds.weights import tied_parameters

NORM_LAYERS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """A parameter. `name` is the first of its names: a shared part has several."""

    name: str
    shape: tuple[int, ...]
    is_bias_or_norm: bool  # a bias, or a weight of a normalisation layer

    @property
    def element_count(self) -> int:
        """The number of elements."""
        return prod(self.shape)


@dataclass
class ParameterIndex:
    """All parameters and buffers by name, and the paths of all nodes and submodules."""

    weights: dict[str, ParameterInfo] = field(default_factory=dict)
    buffers: dict[str, tuple[int, ...]] = field(default_factory=dict)  # shapes
    paths: set[str] = field(default_factory=set)
    first_buffers: dict[str, str] = field(default_factory=dict)  # the first name of each buffer of a shared part

    def add(self, inner: "ParameterIndex", path: str, first: str) -> None:
        """Add the index of a submodule at `path`. Its first use, which names the parameters, is at `first`."""
        self.paths.add(path)
        self.paths.update(f"{path}.{name}" for name in inner.paths)
        for name, weight in inner.weights.items():
            self.weights[f"{path}.{name}"] = replace(weight, name=f"{first}.{weight.name}")
        for name, shape in inner.buffers.items():
            self.buffers[f"{path}.{name}"] = shape
            self.first_buffers[f"{path}.{name}"] = f"{first}.{inner.first_buffers.get(name, name)}"

    @property
    def names(self) -> frozenset[str]:
        """The first names of all parameters."""
        return frozenset(weight.name for weight in self.weights.values())

    def below(self, path: str) -> frozenset[str]:
        """Return the first names of the parameters at a path, and below it."""
        weights = self.weights.items()
        return frozenset(weight.name for name, weight in weights if f"{name}.".startswith(f"{path}."))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the `state_dict`."""
        return {name: weight.shape for name, weight in self.weights.items()} | self.buffers

    def first_name(self, name: str) -> str:
        """Return the first of the names that a tensor of the `state_dict` has."""
        weight = self.weights.get(name)
        return weight.name if weight is not None else self.first_buffers.get(name, name)


def divide_parameters(
    index: ParameterIndex, named: Sequence[Sequence[str] | None], excluded: frozenset[str]
) -> list[frozenset[str]]:
    """Return the parameters at some paths, by their first names; for `None` all that are at no others.

    `excluded` are in none of them.
    """
    parts = [frozenset[str]().union(*map(index.below, paths)) if paths else None for paths in named]
    rest = index.names.difference(excluded, *(part for part in parts if part is not None))
    return [rest if part is None else part - excluded for part in parts]


def index_parameters(blueprint: Blueprint, bodies: bool = True) -> ParameterIndex:
    """Return the index of a network; without `bodies`, of its own modules and parameters alone."""
    return _ParameterIndexer(bodies).body(blueprint)


class _ParameterIndexer:
    """Indexes networks; equal modules and bodies are indexed once."""

    def __init__(self, bodies: bool) -> None:
        self._with_bodies = bodies
        self._modules: dict[Any, ParameterIndex] = {}
        self._bodies: dict[int, ParameterIndex] = {}

    def body(self, blueprint: Blueprint) -> ParameterIndex:
        """Return the index of a body."""
        if id(blueprint) not in self._bodies:
            index = ParameterIndex()
            shared: dict[str, str] = {}
            for node in blueprint.nodes:
                self._node(node, index, shared.setdefault(node.share, node.id) if node.share else node.id)
            _share_names(index, blueprint)
            self._bodies[id(blueprint)] = index
        return self._bodies[id(blueprint)]

    def _node(self, node: ResolvedNode, index: ParameterIndex, first: str) -> None:
        row = CATALOG[node.kind]
        index.paths.add(node.id)
        if isinstance(row, LeafKind) and row.storage == "parameter":
            index.weights[node.id] = ParameterInfo(node.id, tuple(node.parameters["shape"]), "bias" in node.id)
        elif isinstance(row, LeafKind) and row.storage == "buffer":
            index.buffers[node.id] = tuple(node.parameters["shape"])
        elif isinstance(row, ModuleKind):
            index.add(self._module(node, row), node.id, first)
        elif not self._with_bodies:
            return
        elif isinstance(row, ControlKind) and row.function is None:
            index.add(self.body(node.bodies["name"]), node.id, first)
        elif isinstance(row, ControlKind):
            for name, body in node.bodies.items():
                index.add(self.body(body), f"{node.id}.{name}", f"{first}.{name}")

    def _module(self, node: ResolvedNode, row: ModuleKind) -> ParameterIndex:
        key = (node.kind, tuple(node.parameters.items()))
        if key not in self._modules:
            with META:
                module = row.module(node.parameters)
            paths = {path for path, _ in module.named_modules() if path}
            weights = dict(_weights(module))
            buffers = {name: tuple(value.shape) for name, value in module.state_dict().items() if name not in weights}
            self._modules[key] = ParameterIndex(weights, buffers, paths)
        return self._modules[key]


def _share_names(index: ParameterIndex, blueprint: Blueprint) -> None:
    """Give a parameter that nodes share the first of its names, in the order of the nodes."""
    order = [node.id for node in blueprint.nodes]
    ties: dict[str, list[str]] = {}
    for node, name, source in tied_parameters(blueprint):
        if source in index.weights:
            ties.setdefault(source, [source]).append(f"{node}.{name}")
    for names in ties.values():
        first = min(names, key=lambda name: order.index(name.partition(".")[0]))
        index.weights |= {name: replace(index.weights[name], name=index.weights[first].name) for name in names}


def _weights(module: nn.Module) -> Iterator[tuple[str, ParameterInfo]]:
    of_norms = {each for part in module.modules() if isinstance(part, NORM_LAYERS) for each in part.parameters()}
    for name, parameter in module.named_parameters():
        plain = parameter in of_norms or "bias" in name.rpartition(".")[2]
        yield name, ParameterInfo(name, tuple(parameter.shape), plain)
